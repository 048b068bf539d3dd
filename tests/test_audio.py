"""Reading recordings: every format, the louder channel, resampling, memory, and files that cannot be used."""

import io
import time
import tracemalloc
from contextlib import suppress

import av
import numpy as np
import pytest
import soundfile as sf
import soxr

from devid_lib import audio
from devid_lib.audio import inspect_recording, load_recording, read_tags
from devid_lib.errors import AudioError, ParameterError, check_samplerate

TONE, AMPLITUDE = 440.0, 0.3


def tone(samplerate, *, seconds=1.0, frequency=TONE, amplitude=AMPLITUDE):
    t = np.arange(round(seconds * samplerate)) / samplerate
    return (amplitude * np.sin(2 * np.pi * frequency * t)).astype(np.float32)


class Pipe(io.BytesIO):
    """Something to write into that cannot go back, so that no size can be filled in afterwards."""

    def seekable(self):
        return False


def encode(target, *tracks, samplerate, codec, container, bit_rate=None, options=None):
    """Write tracks of one channel with FFmpeg to a file or a `Pipe`; skip the test where the encoder is missing."""
    try:
        av.codec.Codec(codec, "w")
    except av.codec.codec.UnknownCodecError:
        pytest.skip(f"this FFmpeg cannot encode {codec}")
    target = target if isinstance(target, Pipe) else str(target)
    with av.open(target, "w", format=container, options=options or {}) as out:
        streams = [out.add_stream(codec, rate=samplerate, layout="mono") for _ in tracks]
        for stream, y in zip(streams, tracks, strict=True):
            if bit_rate:
                stream.bit_rate = bit_rate
            frame = av.AudioFrame.from_ndarray(np.rint(y * 32767).astype(np.int16)[None], format="s16", layout="mono")
            frame.sample_rate = samplerate
            converter = av.AudioResampler(format=stream.codec_context.format.name, layout="mono", rate=samplerate)
            for part in [*converter.resample(frame), *converter.resample(None)]:
                out.mux(stream.encode(part))
            out.mux(stream.encode(None))


def decoded_by_ffmpeg(path):
    """Return the one channel and the sample rate of a file as FFmpeg decodes it by default."""
    converter = av.AudioResampler(format="fltp")
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    return np.concatenate([part.to_ndarray()[0] for frame in frames for part in converter.resample(frame)]), \
        frames[0].sample_rate


def assert_tone(y, samplerate, *, seconds=1.0, level_db=1.0):
    """Assert frequency, level and length of a decoded tone, whatever delay and padding its coder adds."""
    assert y.dtype == np.float32 and y.ndim == 1
    assert abs(len(y) / samplerate - seconds) < 0.15
    middle = y[len(y) // 4 : len(y) // 4 + samplerate // 2]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert abs(np.argmax(spectrum) * samplerate / len(middle) - TONE) <= 2
    assert abs(20 * np.log10(np.sqrt(np.mean(middle**2)) / (AMPLITUDE / np.sqrt(2)))) < level_db


LOSSLESS = [  # (suffix, format, subtype, largest error)
    (".wav", "WAV", "PCM_U8", 2**-6), (".wav", "WAV", "PCM_16", 2**-14), (".wav", "WAV", "PCM_24", 2**-22),
    (".wav", "WAV", "PCM_32", 2**-22), (".wav", "WAV", "FLOAT", 0), (".wav", "WAV", "DOUBLE", 0),
    (".WAV", "WAVEX", "PCM_16", 2**-14), (".rf64", "RF64", "PCM_16", 2**-14), (".flac", "FLAC", "PCM_16", 2**-14),
    (".flac", "FLAC", "PCM_24", 2**-22), (".aiff", "AIFF", "PCM_16", 2**-14), (".aif", "AIFF", "PCM_24", 2**-22),
    (".caf", "CAF", "PCM_16", 2**-14), (".caf", "CAF", "ALAC_16", 2**-14),
]
# What comes from elsewhere: container, codec, sample rate. The next odd file is a new row, or a new condition below.
# libsndfile writes what is in capitals, FFmpeg the rest.
FILES = [
    *[("WAV", subtype, 16000) for subtype in ("PCM_U8", "PCM_24", "FLOAT", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM")],
    ("WAV", "GSM610", 8000), ("WAVEX", "PCM_16", 16000), ("RF64", "PCM_16", 16000),
    ("W64", "PCM_16", 44100), ("W64", "GSM610", 8000), ("AIFF", "PCM_S8", 16000), ("AIFF", "FLOAT", 16000),
    ("AIFF", "IMA_ADPCM", 16000), ("AU", "PCM_16", 16000), ("AU", "ULAW", 8000), ("CAF", "PCM_24", 16000),
    ("FLAC", "PCM_16", 16000), ("OGG", "VORBIS", 44100), ("OGG", "OPUS", 48000), ("MP3", "MPEG_LAYER_III", 44100),
    ("VOC", "PCM_U8", 8000), ("VOC", "PCM_16", 16000), ("NIST", "PCM_16", 16000),
    ("wav", "pcm_s16le", 16000), ("wav", "libmp3lame", 44100), ("wav", "adpcm_ms", 16000), ("wav", "ac3", 44100),
    ("wav", "g722", 16000), ("w64", "pcm_s16le", 16000), ("aiff", "pcm_s16be", 16000), ("au", "pcm_s16be", 16000),
    ("caf", "pcm_s16be", 16000), ("avi", "libmp3lame", 44100), ("voc", "pcm_s16le", 16000), ("flac", "flac", 16000),
    ("ogg", "libopus", 48000), ("matroska", "libopus", 48000), ("matroska", "aac", 44100), ("webm", "libopus", 48000),
    ("mp3", "libmp3lame", 44100), ("mp2", "mp2", 44100), ("adts", "aac", 44100), ("ac3", "ac3", 44100),
    ("ipod", "aac", 44100), ("ipod", "alac", 44100), ("mov", "pcm_s16le", 48000), ("asf", "wmav1", 22050),
    ("asf", "wmav2", 44100), ("amr", "libopencore_amrnb", 8000), ("3gp", "libopencore_amrnb", 8000),
    ("3gp", "aac", 44100), ("tta", "tta", 16000), ("wv", "wavpack", 16000), ("mpegts", "aac", 44100),
]
BY_FFMPEG = [row for row in FILES if row[0].islower()]
WITH_LENGTH = {"wav", "w64", "aiff", "au", "caf", "avi"}  # a pipe leaves a placeholder there, which deserves a note
WITHOUT = {"mp2", "ac3", "mpegts"}  # made for broadcasting: nothing tells that something is missing
BIT_RATES = {"amr": 12200, "asf": 64000, "3gp": 12200}


def written(path, container, codec, samplerate, *, pipe=False):
    """Write two seconds of a tone in faint noise; return the path."""
    y = tone(samplerate, seconds=2) + np.random.default_rng(0).standard_normal(2 * samplerate).astype(np.float32) / 200
    if container.isupper():
        sf.write(path, y, samplerate, format=container, subtype=codec)
        return path
    fragments = pipe and container in ("ipod", "mov", "3gp")
    target = Pipe() if pipe else path
    encode(target, y, samplerate=samplerate, codec=codec, container=container,
           bit_rate=BIT_RATES.get(container) if codec != "aac" else None,
           options={"movflags": "frag_keyframe+empty_moov"} if fragments else None)
    if pipe:
        path.write_bytes(target.getvalue())
    return path


@pytest.mark.parametrize(("suffix", "container", "subtype", "error"), LOSSLESS)
def test_lossless_formats_are_read_exactly(tmp_path, suffix, container, subtype, error):
    path, y = tmp_path / f"a{suffix}", tone(22050)
    sf.write(path, y, 22050, format=container, subtype=subtype)
    read, sr = load_recording(path)
    assert sr == 22050 and read.shape == y.shape and read.dtype == np.float32
    assert np.abs(read - y).max() <= error


@pytest.mark.parametrize(("container", "codec", "samplerate"), FILES)
def test_whole_files_are_read_as_ffmpeg_reads_them(tmp_path, container, codec, samplerate):
    path = written(tmp_path / "a", container, codec, samplerate)
    y, sr = load_recording(path)
    expected, rate = decoded_by_ffmpeg(path)
    assert sr == rate and np.array_equal(y, expected)
    assert_tone(y, sr, seconds=2, level_db=3.0 if "amr" in codec else 1.0)
    info = inspect_recording(path)
    assert (info["samplerate"], info["channels"], info["frames"], info["note"]) == (sr, 1, len(y), "")
    assert info["peak"] == pytest.approx(np.abs(y).max())


@pytest.mark.parametrize(("container", "codec", "samplerate"), BY_FFMPEG)
def test_files_written_into_a_pipe_are_read_to_their_end(tmp_path, container, codec, samplerate):
    path = written(tmp_path / "a", container, codec, samplerate, pipe=True)
    y, sr = load_recording(path)
    if container in ("w64", "aiff"):  # there FFmpeg gives up
        path = written(tmp_path / "b", container, codec, samplerate)
    assert np.array_equal(y, decoded_by_ffmpeg(path)[0])
    note = inspect_recording(tmp_path / "a")["note"]
    assert ("no true length" in note) is (container in WITH_LENGTH)


@pytest.mark.parametrize("keep", [0.05, 0.6, 0.97])
@pytest.mark.parametrize(("container", "codec", "samplerate"), [row for row in FILES if row[0] not in WITHOUT])
def test_truncated_files_are_refused(tmp_path, container, codec, samplerate, keep):
    path = written(tmp_path / "a", container, codec, samplerate)
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    refused(path, "truncated|damaged")


@pytest.mark.parametrize(("container", "codec", "samplerate"), [
    row for row in FILES if row[1].lower().startswith("pcm") and row[0].lower() in WITH_LENGTH | {"wavex", "rf64"}])
def test_sound_that_goes_on_after_its_declared_end_is_refused(tmp_path, container, codec, samplerate):
    """A size that was not brought up to date, or one of 32 bits in a file of more than 4 GiB."""
    path = written(tmp_path / "a", container, codec, samplerate)
    path.write_bytes(path.read_bytes() + path.read_bytes()[-20001:])
    refused(path, "2000[01] more follow")


@pytest.mark.parametrize(("container", "codec", "samplerate"), FILES)
def test_zeros_after_a_header_or_after_the_sound_cost_no_time(tmp_path, container, codec, samplerate):
    """Storage was reserved, then the power was lost. FFmpeg takes zeros for hours of AMR, and for chunks of WAV."""
    path = written(tmp_path / "a", container, codec, samplerate)
    content, start = path.read_bytes(), time.process_time()
    for begun in (content[:60].replace(b"data", bytes(4)), content[: len(content) // 2], content):
        path.write_bytes(begun + bytes(1 << 23))
        with suppress(AudioError):
            load_recording(path)
    assert time.process_time() - start < 2


def test_tags_behind_the_sound_are_read_where_zeros_follow(tmp_path):
    encode(tmp_path / "a.wav", tone(8000), samplerate=8000, codec="adpcm_ms", container="wav")
    content = bytearray((tmp_path / "a.wav").read_bytes()) + b"LIST\x14\0\0\0INFOINAM\x08\0\0\0a title\0"
    (tmp_path / "a.wav").write_bytes(content + bytes(1 << 20))
    assert read_tags(tmp_path / "a.wav")["tags"]["title"] == "a title"


def test_tags_of_what_ffmpeg_cannot_open(tmp_path):
    """libsndfile reads it all the same."""
    sf.write(tmp_path / "a.aiff", tone(8000), 8000, subtype="PCM_16")
    content = bytearray((tmp_path / "a.aiff").read_bytes())
    content[22] = 0x96  # far more samples than there are, which libsndfile corrects
    (tmp_path / "a.aiff").write_bytes(content)
    with pytest.raises(av.FFmpegError):
        av.open(str(tmp_path / "a.aiff"))
    assert read_tags(tmp_path / "a.aiff")["lossless"]


def test_every_tested_suffix_is_known():
    assert {suffix.lower() for suffix, *_ in LOSSLESS} <= audio.AUDIO_SUFFIXES
    assert not audio.AUDIO_SUFFIXES & {".txt", ".csv", ".json", ".md", ".pdf", ".jpg", ""}


def test_content_decides_and_not_the_suffix(tmp_path):
    sf.write(tmp_path / "a.flac", tone(8000), 8000)
    wrong = (tmp_path / "a.flac").rename(tmp_path / "a.mp3")
    assert inspect_recording(wrong)["format"] == "FLAC"


def test_mp3_is_read_to_its_end_without_a_length_in_it(tmp_path):
    # Noise at the start makes a large first frame, from which a much too short length would be guessed.
    y = np.concatenate([np.random.default_rng(0).standard_normal(44100) / 5, 0.1 * tone(44100, seconds=4)])
    sf.write(tmp_path / "a.mp3", y, 44100, bitrate_mode="VARIABLE", compression_level=0.3)
    content = (tmp_path / "a.mp3").read_bytes()
    (tmp_path / "a.mp3").write_bytes(content[content.index(content[:2], 40) :])  # without the frame that tells
    read, sr = load_recording(tmp_path / "a.mp3")
    assert abs(len(read) / sr - 5) < 0.1


def test_odd_characters_in_tags_do_no_harm(tmp_path):
    text = b"\x03caf\xe9"  # said to be UTF-8, is not
    frame = b"TIT2" + len(text).to_bytes(4, "big") + b"\0\0" + text
    sf.write(tmp_path / "plain.mp3", tone(44100), 44100)
    sound = (tmp_path / "plain.mp3").read_bytes()
    (tmp_path / "a.mp3").write_bytes(b"ID3\x04\0\0" + len(frame).to_bytes(4, "big") + frame + sound)
    assert np.array_equal(load_recording(tmp_path / "a.mp3")[0], load_recording(tmp_path / "plain.mp3")[0])


@pytest.mark.parametrize("louder", [0, 1, 2])
def test_louder_channel_is_taken_and_not_the_mean(tmp_path, louder):
    channels = np.stack([0.1 * tone(8000), -0.1 * tone(8000), 0.1 * tone(8000, frequency=600)], axis=1)
    channels[:, louder] *= 2
    sf.write(tmp_path / "a.wav", channels, 8000, subtype="FLOAT")
    sf.write(tmp_path / "mono.wav", channels[:, louder], 8000, subtype="FLOAT")
    assert np.array_equal(load_recording(tmp_path / "a.wav")[0], channels[:, louder])
    info = inspect_recording(tmp_path / "a.wav")
    assert info["channels"] == 3
    assert info["checksum"] == inspect_recording(tmp_path / "mono.wav")["checksum"]


@pytest.mark.parametrize("block", [500, 1 << 18])
def test_dc_offset_does_not_make_a_channel_louder(tmp_path, monkeypatch, block):
    monkeypatch.setattr(audio, "BLOCK", block)
    unused = np.full(8000, 0.5, np.float32)
    sf.write(tmp_path / "a.wav", np.stack([unused, 0.01 * tone(8000)], axis=1), 8000, subtype="FLOAT")
    y, _ = load_recording(tmp_path / "a.wav")
    assert np.array_equal(y, 0.01 * tone(8000))
    assert inspect_recording(tmp_path / "a.wav")["peak"] == pytest.approx(0.01 * AMPLITUDE, rel=1e-3)


def test_louder_channel_of_a_compressed_file(tmp_path):
    sf.write(tmp_path / "a.mp3", np.stack([0.01 * tone(44100, frequency=2000), tone(44100)], axis=1), 44100)
    y, sr = load_recording(tmp_path / "a.mp3")
    assert_tone(y, sr)


@pytest.mark.parametrize(("native", "target"), [(44100, 16000), (48000, 44100), (8000, 44100)])
def test_resampling_keeps_a_tone(tmp_path, native, target):
    sf.write(tmp_path / "a.wav", tone(native), native, subtype="FLOAT")
    y, sr = load_recording(tmp_path / "a.wav", samplerate=target)
    assert sr == target and len(y) == pytest.approx(target, abs=1)
    inside = slice(target // 10, -target // 10)
    assert np.abs(y[inside] - tone(target)[: len(y)][inside]).max() < 1e-3


def test_resampling_takes_out_what_the_new_rate_cannot_hold(tmp_path):
    sf.write(tmp_path / "a.wav", tone(44100) + tone(44100, frequency=10000), 44100, subtype="FLOAT")
    y, sr = load_recording(tmp_path / "a.wav", samplerate=16000)
    assert np.abs(y[1600:-1600] - tone(16000)[1600:-1600]).max() < 1e-3


def test_blocks_leave_no_seams(tmp_path, monkeypatch):
    y = np.random.default_rng(0).standard_normal(20000).astype(np.float32) / 10
    sf.write(tmp_path / "a.wav", y, 16000, subtype="FLOAT")
    whole = soxr.resample(y, 16000, 11025, quality="HQ")
    monkeypatch.setattr(audio, "BLOCK", 777)
    assert np.array_equal(load_recording(tmp_path / "a.wav")[0], y)
    assert np.allclose(load_recording(tmp_path / "a.wav", samplerate=11025)[0], whole, atol=1e-6)


@pytest.mark.parametrize("samplerate", [None, 8000])
def test_long_recording_is_a_memory_map_and_costs_little(tmp_path, monkeypatch, samplerate):
    rng = np.random.default_rng(0)
    sf.write(tmp_path / "a.flac", rng.standard_normal((1_000_000, 2)) / 20, 16000)
    short, sr = load_recording(tmp_path / "a.flac", samplerate=samplerate)
    assert not isinstance(short, np.memmap)
    monkeypatch.setattr(audio, "LONG_RECORDING", 50_000)
    monkeypatch.setattr(audio, "BLOCK", 1 << 14)
    tracemalloc.start()
    long, _ = load_recording(tmp_path / "a.flac", samplerate=samplerate)
    info = inspect_recording(tmp_path / "a.flac")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(long, np.memmap) and long.dtype == np.float32
    assert np.allclose(long, short, atol=1e-6 if samplerate else 0)
    assert info["frames"] == 1_000_000
    assert peak < 1_500_000  # bytes; the samples of one channel are 4,000,000


def test_a_full_disk_is_said_so(tmp_path, monkeypatch):
    sf.write(tmp_path / "a.wav", tone(8000), 8000)
    monkeypatch.setattr(audio, "LONG_RECORDING", 1000)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(audio.tempfile, "TemporaryFile", full)
    with pytest.raises(AudioError, match="a.wav: .*no disk space"):
        load_recording(tmp_path / "a.wav")


def test_inspection_tells_what_is_in_the_file(tmp_path):
    y = np.rint(tone(16000, seconds=0.5) * 32767).astype(np.int16)  # libsndfile rounds floats differently by format
    for name in ("a.wav", "b.flac", "c.aiff"):
        sf.write(tmp_path / name, y, 16000, subtype="PCM_16")
    info = inspect_recording(tmp_path / "a.wav")
    assert (info["samplerate"], info["channels"], info["frames"], info["duration_s"]) == (16000, 1, 8000, 0.5)
    assert (info["format"], info["subtype"]) == ("WAV", "PCM_16")
    assert info["peak"] == pytest.approx(AMPLITUDE, abs=1e-3)
    assert info["checksum"] == inspect_recording(tmp_path / "b.flac")["checksum"]
    assert info["checksum"] == inspect_recording(str(tmp_path / "c.aiff"))["checksum"]
    sf.write(tmp_path / "other.wav", -y, 16000, subtype="PCM_16")
    assert info["checksum"] != inspect_recording(tmp_path / "other.wav")["checksum"]


def refused(path, reason):
    """Assert that both functions refuse a file with a message that names it and the reason."""
    for function in (load_recording, inspect_recording):
        with pytest.raises(AudioError, match=reason) as error:
            function(path)
        assert str(error.value).startswith(f"{path}: ")


def test_missing_file_and_folder_are_refused(tmp_path):
    refused(tmp_path / "none.wav", "no such file")
    refused(tmp_path, "not a file")
    refused(tmp_path / f"{'n' * 300}.wav", "File name too long")
    refused(f"{tmp_path}/\0.wav", "no such file")
    with pytest.raises(AudioError, match=r"/caf\\xe9.wav: its name is not valid UTF-8"):
        load_recording(f"{tmp_path}/caf\udce9.wav")


RANDOM = np.random.default_rng(0).bytes(50000)
NOT_AUDIO = {
    "text": b"not a recording\n" * 500, "random": RANDOM, "zeros": bytes(50000), "one byte": b"R",
    "web page": b"<!DOCTYPE html><html><body>404</body></html>" * 20, "riff head": b"RIFF\x00\x00\x00\x00WAVE",
    "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\nhttp://localhost:9/a.ts\n",
    "picture": b"\x89PNG\r\n\x1a\n" + RANDOM[:2000], "ogg head": b"OggS" + bytes(10),
}


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".m4a", ".amr", ".raw"])
@pytest.mark.parametrize("content", NOT_AUDIO)
def test_what_is_not_audio_is_refused(tmp_path, content, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(NOT_AUDIO[content])
    refused(path, "not audio|truncated or damaged|digital silence")


def test_a_picture_is_refused_with_a_readable_reason(tmp_path):
    with av.open(str(tmp_path / "a.png"), "w", format="image2") as out:
        stream = out.add_stream("png", rate=1)
        stream.width = stream.height = 16
        stream.pix_fmt = "rgb24"
        out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")))
        out.mux(stream.encode(None))
    (tmp_path / "a.png").rename(tmp_path / "a.wav")
    refused(tmp_path / "a.wav", "no sound")


def test_empty_files_are_refused(tmp_path):
    (tmp_path / "a.wav").touch()
    refused(tmp_path / "a.wav", "empty file")
    sf.write(tmp_path / "b.wav", np.empty(0, np.float32), 8000)
    refused(tmp_path / "b.wav", "no sound|no samples")


@pytest.mark.parametrize("keep", [0.1, 0.6])
@pytest.mark.parametrize("codec", ["aac", "alac"])
def test_truncated_files_with_their_index_in_front_are_refused(tmp_path, codec, keep):
    path, options = tmp_path / "a.m4a", {"movflags": "faststart"}
    encode(path, tone(44100, seconds=3), samplerate=44100, codec=codec, container="ipod", options=options)
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    refused(path, "truncated|damaged")


def test_m4a_cut_between_two_frames_is_refused(tmp_path):
    """The decoder meets no damage there: only the declared length tells."""
    path, options = tmp_path / "a.m4a", {"movflags": "faststart"}
    encode(path, tone(44100, seconds=3), samplerate=44100, codec="aac", container="ipod", options=options)
    with av.open(str(path)) as file:
        places = [packet.pos for packet in file.demux() if packet.size]
    path.write_bytes(path.read_bytes()[: places[len(places) // 2]])
    refused(path, "truncated, .* samples instead of")


@pytest.mark.parametrize("packet", [1, 2, -1])
def test_wma_cut_between_two_packets_is_refused(tmp_path, packet):
    """FFmpeg then takes the length from what is left."""
    path = tmp_path / "a.wma"
    encode(path, tone(44100, seconds=3), samplerate=44100, codec="wmav2", container="asf", bit_rate=64000)
    content = path.read_bytes()
    path.write_bytes(b"\x82\x00\x00".join(content.split(b"\x82\x00\x00")[:packet]))
    refused(path, "truncated")


def patched(path, at, number):
    """Overwrite a number of four bytes in a file."""
    content = bytearray(path.read_bytes())
    content[at : at + 4] = number.to_bytes(4, "little")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("declared", [0, 0x7F000022, 0x7FFFEFDB, 0x7FFFFFFF, 0x80000000, 0xFFFFFFDB, 0xFFFFFFFF])
def test_placeholders_for_a_size_are_known_by_range(tmp_path, declared):
    path, y = tmp_path / "a.wav", tone(8000)
    sf.write(path, y, 8000, subtype="PCM_16")
    read, _ = load_recording(patched(path, 40, declared))
    assert len(read) == 8000 and np.abs(read - y).max() < 2**-14
    assert "no true length" in inspect_recording(path)["note"]


@pytest.mark.parametrize(("container", "at"), [("CAF", 12), ("W64", 56), ("WAV", 16), ("AIFF", 16)])
def test_chunk_that_ends_beyond_every_file_is_refused(tmp_path, container, at):
    path = tmp_path / "a"
    sf.write(path, tone(8000), 8000, format=container, subtype="PCM_16")
    patched(path, at, 0xFFFFFFFF)
    refused(patched(path, at + 4, 0xFFFFFFFF) if container in ("CAF", "W64") else path, "leads to no sound")


@pytest.mark.parametrize("declared", [16002, 0x7E000000, 0xF0000000])
def test_what_is_no_placeholder_is_a_promise(tmp_path, declared):
    sf.write(tmp_path / "a.wav", tone(8000), 8000, subtype="PCM_16")
    refused(patched(tmp_path / "a.wav", 40, declared), f"truncated, .* {declared - 16000} bytes")


@pytest.mark.parametrize(("tail", "sound"), [
    (b"LIST\0\0\0\0", 16000), (b"LIST\4\0\0\0INFO", 16000), (b"ID3\3" * 99, 16000), (bytes(5000), 16000),
    (b"LIST\4\0\0\0INFO", 0), (b"", 0),
])
def test_what_follows_after_the_sound_is_not_heard(tmp_path, tail, sound):
    path = tmp_path / "a.wav"
    sf.write(path, tone(8000)[: sound // 2], 8000, subtype="PCM_16")
    path.write_bytes(path.read_bytes() + tail)
    if sound:
        assert len(load_recording(path)[0]) == 8000 and inspect_recording(path)["note"] == ""
    else:
        refused(path, "empty, holds no samples")


@pytest.mark.parametrize("tag", [0x5756, 0x0000, 0x00E7, 0x7FFF])
def test_unknown_codecs_are_refused_by_name(tmp_path, tag):
    path = tmp_path / "a.wav"
    sf.write(path, tone(8000), 8000)
    refused(patched(path, 20, 0x10000 + tag), f"no decoder for its codec 0x{tag:04x}")


@pytest.mark.parametrize("samplerate", [1, 1999, 768001, 0xFFFFFFFF])
def test_implausible_sample_rates_are_refused(tmp_path, samplerate):
    sf.write(tmp_path / "a.wav", tone(8000), 8000)
    refused(patched(tmp_path / "a.wav", 24, samplerate), "implausible|damaged")
    assert load_recording(patched(tmp_path / "a.wav", 24, 768000))[1] == 768000


@pytest.mark.parametrize(("container", "rates", "channels"), [
    ("MP3", (44100, 48000), (1, 1)), ("MP3", (44100, 44100), (1, 2)), ("adts", (44100, 22050), (1, 1)),
])
def test_rate_or_channels_that_change_in_mid_stream_are_refused(tmp_path, container, rates, channels):
    path, content = tmp_path / "a", b""
    for rate, n in zip(rates, channels, strict=True):
        if container == "MP3":
            sf.write(path, np.stack([tone(rate)] * n, axis=1), rate, format="MP3")
        else:
            encode(path, tone(rate), samplerate=rate, codec="aac", container=container)
        content += path.read_bytes()
    path.write_bytes(content)
    refused(path, "changes in mid-stream, .* Hz, 1 and . channels are in it")


@pytest.mark.parametrize("same", [True, False])
def test_chained_ogg_is_refused(tmp_path, same):
    for name in ("a.ogg", "b.ogg"):
        sf.write(tmp_path / name, tone(16000), 16000)
    second = tmp_path / ("a.ogg" if same else "b.ogg")
    (tmp_path / "a.ogg").write_bytes((tmp_path / "a.ogg").read_bytes() + second.read_bytes())
    refused(tmp_path / "a.ogg", "chained Ogg")


def test_pad_byte_behind_gsm_is_no_block(tmp_path):
    sf.write(tmp_path / "a.wav", tone(8000)[: 13 * 320], 8000, subtype="GSM610")
    y, _ = load_recording(tmp_path / "a.wav")
    assert (tmp_path / "a.wav").read_bytes()[-1:] == b"\0" and len(y) == 13 * 320 and np.abs(y).max() < 0.5


@pytest.mark.parametrize("subtype", ["NMS_ADPCM_32", "G721_32"])
def test_codecs_that_ffmpeg_does_not_know_or_plays_at_another_level(tmp_path, subtype):
    sf.write(tmp_path / "a.wav", tone(8000), 8000, subtype=subtype)
    assert_tone(*load_recording(tmp_path / "a.wav"))


def test_scripts_that_point_at_another_file_are_refused(tmp_path):
    sf.write(tmp_path / "other.flac", tone(8000), 8000)
    (tmp_path / "a.wav").write_text("ffconcat version 1.0\nfile other.flac\n")
    refused(tmp_path / "a.wav", "no container that recordings come in")


@pytest.mark.parametrize("silent", [0, 1])
def test_the_first_track_that_is_not_silent_is_read(tmp_path, silent):
    tracks = [0 * tone(44100), 0 * tone(44100)]
    tracks[1 - silent] = tone(44100)
    encode(tmp_path / "a.mka", *tracks, samplerate=44100, codec="aac", container="matroska")
    assert_tone(*load_recording(tmp_path / "a.mka"))
    assert inspect_recording(tmp_path / "a.mka")["note"] == f"it has 2 tracks of sound, number {2 - silent} was read"
    encode(tmp_path / "b.mka", 0 * tone(44100), 0 * tone(44100), samplerate=44100, codec="aac", container="matroska")
    refused(tmp_path / "b.mka", "digital silence")


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_U8", "FLOAT"])
@pytest.mark.parametrize(("value", "channels"), [(0.0, 1), (0.0, 2), (0.25, 1)])
def test_digital_silence_is_refused(tmp_path, subtype, value, channels):
    sf.write(tmp_path / "a.wav", np.full((8000, channels), value), 8000, subtype=subtype)
    refused(tmp_path / "a.wav", "digital silence")


def test_two_constant_channels_are_silence_too(tmp_path):
    sf.write(tmp_path / "a.wav", np.stack([np.zeros(8000), np.full(8000, 0.25)], axis=1), 8000)
    refused(tmp_path / "a.wav", "digital silence")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channel", [0, 1])
def test_samples_that_are_not_finite_are_refused(tmp_path, value, channel):
    y = np.stack([tone(8000)] * 2, axis=1)
    y[4321, channel] = value
    sf.write(tmp_path / "a.wav", y, 8000, subtype="FLOAT")
    refused(tmp_path / "a.wav", "NaN or infinite")


@pytest.mark.parametrize("samplerate", [0, -8000, 1999, 768001, 44100.5, np.nan, np.inf, "44100", True])
def test_sample_rates_that_are_none_are_refused(tmp_path, samplerate):
    sf.write(tmp_path / "a.wav", tone(8000), 8000)
    with pytest.raises(ParameterError, match="samplerate"):
        load_recording(tmp_path / "a.wav", samplerate=samplerate)
    assert check_samplerate(8000.0) == 8000
