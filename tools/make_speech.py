"""Make devid_lib/assets/speech.ogg: the speech that the simulated recorders record.

Run once, on Debian 12, in an environment of its own (the workbook does not depend on the packages that speak):

    apt-get install festival festvox-us-slt-hts
    python3 -m venv /tmp/tts
    /tmp/tts/bin/pip install hibari-tts==0.2.1 pyworld==0.3.5 setuptools==80.9.0 soundfile==0.14.0 soxr==1.1.0
    /tmp/tts/bin/python tools/make_speech.py

Two synthetic women read the sentences: "heart" of hibari-tts (Apache-2.0), and "slt" of festival (Carnegie Mellon
University, a free licence). Four more voices are made of them with the vocoder WORLD (Morise et al. 2016,
10.1587/transinf.2015EDP7457): pitch and spectral envelope are scaled, as by another larynx and a vocal tract of another
length. Training has four voices and the first sentences, test the two others and the last sentences, so that
neither a voice nor a sentence is on both sides.

Every sentence is cut to where there is sound, brought to one level and written behind the one before. speech.json says
where, who speaks and on which side. The same versions give the same samples (the file differs in the serial number that
Ogg draws for every stream).
"""

import functools
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr

SEED = 20160805
SAMPLERATE = 24000  # [Hz], what hibari-tts speaks at; festival's voice has 32 kHz
GAP_S = 0.1  # silence between two sentences in the file [s], so that the codec does not smear one into the next
FLOOR_DB = -50.0  # a 10 ms frame this far under the loudest is no longer speech [dB]
MARGIN_S = 0.03  # kept on either side of the speech [s]
LEVEL_DBFS = -26.0  # RMS of every sentence [dBFS]
TRAINING = 48  # sentences; the others are for the test
ASSETS = Path(__file__).resolve().parent.parent / "devid_lib" / "assets"
VOICES = {  # name: side, who reads, and by what pitch and formants are multiplied
    "heart": ("train", "heart", 1.0, 1.0),
    "slt": ("train", "slt", 1.0, 1.0),
    "heart-low": ("train", "heart", 0.6, 0.86),
    "slt-high": ("train", "slt", 1.2, 1.1),
    "heart-mid": ("test", "heart", 0.8, 0.93),
    "slt-low": ("test", "slt", 0.62, 0.87),
}

# Written for this project. Neutral content; between them the sentences hold every phoneme of English several times.
SENTENCES = [
    "The ferry leaves the northern pier at a quarter past seven.",
    "Please put the large blue folder back on the upper shelf.",
    "Our neighbour waters her tomatoes before the sun gets strong.",
    "Which of these maps shows the footpath along the river?",
    "He measured the length of the garden wall with a piece of string.",
    "A thin layer of ice had formed on the pond during the night.",
    "She chose a yellow jacket, although the grey one was cheaper.",
    "The bakery on the corner sells rye bread on Thursdays.",
    "Could you check whether the window in the kitchen is shut?",
    "They joined the two pipes with a short copper sleeve.",
    "Every visitor gets a badge, a pencil and a small notebook.",
    "The train slowed down, crossed the bridge and stopped in the valley.",
    "It is unusual to see geese so far inland at this time of year.",
    "My uncle repairs clocks in a workshop behind the theatre.",
    "The measurement was repeated three times under the same conditions.",
    "Turn left at the church, then follow the road up the hill.",
    "We usually have coffee outdoors when the weather is fair.",
    "The old projector makes a soft humming sound as it warms up.",
    "Nobody noticed the mistake until the report had been printed.",
    "Half of the boxes were empty; the others held wool and thread.",
    "Birds gathered on the roof just after the rain had stopped.",
    "The teacher drew a triangle and asked for its longest side.",
    "Put a pinch of salt in the water and let it boil gently.",
    "This version of the catalogue lists more than four hundred species.",
    "The lighthouse keeper wrote down the wind direction each hour.",
    "Her handwriting is easy to read, even on rough paper.",
    "A cheerful voice announced that the museum would close at five.",
    "You can borrow the ladder as long as you bring it back.",
    "The engine coughed twice, shook, and began to run smoothly.",
    "In the south, the fields are separated by rows of poplar trees.",
    "I thought the shop was closed, yet the door was open.",
    "Several boys were flying kites on the beach near the dunes.",
    "The jury awarded both prizes to the same young architect.",
    "Wash the brushes thoroughly and leave them to dry overnight.",
    "He would rather walk for an hour than wait for the bus.",
    "The choir rehearses in a vaulted room with a long echo.",
    "Mix two cups of flour with butter, sugar and one egg.",
    "Their journey took them through a narrow gorge and over a pass.",
    "A pleasant smell of oranges came from the crates by the door.",
    "We counted the cars that went by between noon and one o'clock.",
    "The surface of the moon is covered with fine dust.",
    "Where did you put the key to the garage?",
    "The young vet listened to the horse's heartbeat for a while.",
    "Paint was peeling off the shutters on the sunny side.",
    "The path is steep, so wear good shoes and carry water.",
    "In autumn the village holds a market for cheese and honey.",
    "They measure rainfall with a glass tube and a funnel.",
    "The clerk stamped the form and pushed it under the glass.",
    "Few people know how the canal got its unusual name.",
    "She plays the viola, and her brother teaches the oboe.",
    "A rough sketch is enough; we can choose the colours later.",
    "The puzzle has one thousand pieces and no picture on the lid.",
    "Without a compass they judged direction by the position of the sun.",
    "The library has moved its journals to the ground floor.",
    "When the fog lifted, we saw a white sail on the horizon.",
    "He poured the juice into eight small cups without spilling any.",
    "The weather station on the ridge sends its readings every ten minutes.",
    "Although the stairs were narrow, the movers carried the piano to the third floor.",
    "The shepherd whistled, and both dogs ran in a wide circle around the flock.",
    "There is a measure of truth in what the gardener said about the soil.",
    "Two engineers examined the bridge while the traffic went on beneath them.",
    "We shall need a longer rope, a sharp knife and something to keep off the rain.",
    "The author checked the index twice and found only one page number missing.",
    "Just before dawn the harbour is quiet, apart from the ropes and the gulls.",
    "Their youngest daughter collects shells, buttons and foreign stamps.",
    "If you follow the beach as far as the rocks, you will reach the other village.",
    "The cook peeled onions, chopped parsley and whisked the cream by hand.",
    "An average pressure of nine units was enough to move the lever.",
    "The tailor joined the cloth with a seam so fine that nobody could see it.",
    "Those who had finished early sat outside and talked about the voyage.",
]


def trimmed(y):
    """Return ``y`` without the silence before and after the speech."""
    frame = SAMPLERATE // 100
    frames = y[: len(y) // frame * frame].reshape(-1, frame)
    loud = np.flatnonzero(np.mean(frames**2, axis=1) > np.max(np.mean(frames**2, axis=1)) * 10 ** (FLOOR_DB / 10))
    margin = int(MARGIN_S * SAMPLERATE)
    return y[max(0, loud[0] * frame - margin) : (loud[-1] + 1) * frame + margin]


@functools.cache
def readers():
    """Return the two functions that turn a sentence and a seed into samples at SAMPLERATE."""
    from hibari import Hibari

    speak = Hibari()

    def slt(sentence, seed):
        with tempfile.TemporaryDirectory() as folder:
            text, spoken = Path(folder) / "text", Path(folder) / "speech.wav"
            text.write_text(sentence)
            subprocess.run(["text2wave", "-eval", "(voice_cmu_us_slt_arctic_hts)", "-o", spoken, text], check=True)
            return soxr.resample(*sf.read(spoken, dtype="float32"), SAMPLERATE)

    return {"heart": lambda sentence, seed: speak(sentence, seed=seed), "slt": slt}


def changed(y, *, pitch, formants):
    """Return ``y`` spoken by another larynx and another vocal tract, with WORLD."""
    import pyworld

    y = y.astype(np.float64)
    f0, t = pyworld.harvest(y, SAMPLERATE)
    envelope = pyworld.cheaptrick(y, f0, t, SAMPLERATE)
    aperiodic = pyworld.d4c(y, f0, t, SAMPLERATE)
    bins = np.arange(envelope.shape[1])
    scaled = [np.exp(np.interp(bins / formants, bins, np.log(row))) for row in envelope]
    return pyworld.synthesize(f0 * pitch, np.array(scaled), aperiodic, SAMPLERATE).astype(np.float32)


def spoken():
    """Yield (voice, side, samples) of every sentence; of the voices of training each speaks every other sentence."""
    for number, (voice, (side, reader, pitch, formants)) in enumerate(VOICES.items()):
        mine = range(number % 2, TRAINING, 2) if side == "train" else range(TRAINING, len(SENTENCES))
        for i in mine:
            y = readers()[reader](SENTENCES[i], SEED + i)
            y = trimmed(y if pitch == formants == 1 else changed(y, pitch=pitch, formants=formants))
            yield voice, side, y * np.float32(10 ** (LEVEL_DBFS / 20) / np.sqrt(np.mean(y**2)))


def main():
    """Speak all sentences and write speech.ogg and speech.json."""
    gap = np.zeros(int(GAP_S * SAMPLERATE), np.float32)
    pieces, utterances, position = [gap], [], len(gap)
    for voice, side, y in spoken():
        utterances.append([position, position + len(y), voice, side])
        pieces += [y, gap]
        position += len(y) + len(gap)
    y = np.concatenate(pieces)
    if np.max(np.abs(y)) >= 1:
        raise SystemExit(f"the speech clips: peak {np.max(np.abs(y)):.2f}")
    ASSETS.mkdir(exist_ok=True)
    ogg = dict(format="OGG", subtype="VORBIS", compression_level=0.5)
    with sf.SoundFile(ASSETS / "speech.ogg", "w", samplerate=SAMPLERATE, channels=1, **ogg) as file:
        for block in np.array_split(y, len(y) // SAMPLERATE):  # libsndfile crashes on one long block of Vorbis
            file.write(block)
    (ASSETS / "speech.json").write_text(json.dumps({"samplerate": SAMPLERATE, "utterances": utterances}) + "\n")
    print(f"{len(utterances)} sentences, {position / SAMPLERATE:.0f} s, peak {np.max(np.abs(y)):.2f}")


if __name__ == "__main__":
    main()
