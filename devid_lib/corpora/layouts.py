"""Where the public recordings keep device, recording, session and speaker: one function a corpus, from folder to rows.

Each takes a folder that holds the corpus as its authors pack it, at any depth, and returns one row a file: path
(seen from the folder), device, recording, session, speaker. Files with one device and one recording are clips of it.
"""

import re
import unicodedata

from ..errors import CorpusError
from ..files import sha256_of

YETI = "Blue Yeti"
PUT_MICROPHONES = {  # thesis, chapter 3
    "Main": YETI, "G213": YETI, "K3P": YETI, "MateBook14": "MateBook 14", "CA_tb14": "ThinkBook 14"
}
DR_VCTK_CHANNELS = {1: "MacBook Air", 2: "MacBook Air", 3: "Apogee MiC", 4: "Blue Snowball", 5: "iPhone 5S",
                    6: "iPhone 5S", 7: "iPad", 8: "iPad"}
WINDOWS = {"Closed": "windows closed", "Opened": "windows open"}
LAPTOP = "マイク配列"  # MicrophoneLevelLogger: what the laptop's own microphones are called


def ccnu_mobile(folder):
    for path, device, number in _matched(folder, r"([^/]+)_(\d+)\.wav"):
        yield path, device, f"clip{number}", "", ""


def mobiphone(folder):
    for path, device, number in _matched(folder, r"([^/]+)/speaker(\d+)\.wav"):
        yield path, device, f"speaker{number}", "", f"speaker{number}"


def dspspeech_20(folder):
    """Chains by number, so that student numbers get into no report; the words of a round are one recording."""
    found = list(_matched(folder, r"(\d+)/\d+-(\d+)-(\d+)\.wav"))
    numbers = {name: f"{n:02d}" for n, name in enumerate(sorted({row[1] for row in found}), 1)}
    seen = set()
    for path, name, _, index in found:
        digest = sha256_of(folder / path)
        if digest not in seen:  # copies of an earlier round are left out
            yield path, f"chain{numbers[name]}", f"round{index}", f"round{index}", f"speaker{numbers[name]}"
        seen.add(digest)


def put_keystrokes(folder):
    sets = "|".join(PUT_MICROPHONES)
    pattern = rf"({sets})/(digits|letters|symbols)/([^/]+)/(\w+_(\d{{4}}-\d\d-\d\d)_[\d-]+)\.wav"
    for path, name, group, key, part, date in _matched(folder, pattern):
        yield path, PUT_MICROPHONES[name], f"{name} {group} {key} {part}", f"{date} {name}", ""


def microphone_level_logger(folder):
    """The headset's own recording of each take; a headset with one take can be neither learnt nor asked."""
    found = [row for row in _matched(folder, r"Local/(\d{4}-\d\d-\d\d)_\d+_([^/]+)_([LBRFS])/([^/]+)\.wav")
             if LAPTOP not in row[4]]
    names = [row[2] for row in found]
    for path, date, device, take, _ in found:
        if names.count(device) > 1:
            yield path, device, f"{date} {take}", date, ""


def daps(folder):
    """The scripts that one speaker reads in one place are one recording."""
    for path, device, place, speaker in _matched(folder, r"(ipad|iphone)((?:flat)?_\w+)/([fm]\d+)_script\d+_\w+\.wav"):
        place = place.removeprefix("_").replace("flat_", "flat ")
        yield path, device, f"{place} {speaker}", place, speaker


def dr_vctk(folder):
    """Sentences of one speaker in one channel are one recording; a list says which channel made which file."""
    for side in ("train", "test"):
        channels = _channels(folder, f"{side}_ch_log.txt")
        found = list(_matched(folder, rf"device-recorded_{side}set_wav_16k/((p\d+)_[^/]+\.wav)"))
        if missing := channels.keys() - {name for _, name, _ in found}:
            raise CorpusError(f"{folder}: half there: {len(missing)} of {len(channels)} files in {side}_ch_log.txt are "
                              f"missing, {min(missing)} among them. Remove the folder and get it again")
        for path, name, speaker in found:
            if name not in channels:
                raise CorpusError(f"{folder / path}: is not in {side}_ch_log.txt")
            window, channel = channels[name]
            yield path, DR_VCTK_CHANNELS[channel], f"{window} ch{channel} {speaker}", window, speaker


def _channels(folder, name):
    """Return {file: (windows closed or open, channel)} as one of DR-VCTK's lists has it."""
    lists = sorted(folder.rglob(name))
    if not lists:
        raise CorpusError(f"{folder}: holds no {name}")
    rows = re.findall(r"^(\S+\.wav)\t\S*(Closed|Opened)Window\t([1-8])\s*$", lists[0].read_text("utf-8"), re.MULTILINE)
    return {file: (WINDOWS[state], int(channel)) for file, state, channel in rows}


def libriadapt(folder):
    for path, accent, device, side, stem in _matched(folder, r"(en-\w\w)/clean/(\w+)/(train|test)/([^/]+)\.wav"):
        speaker = match[1] if (match := re.fullmatch(r"(\d+)-\d+-\d+.*", stem)) else ""
        yield path, device, f"{accent} {side} {speaker or stem}", accent, speaker


def tau_mobile(folder):
    for path, place, device in _matched(folder, r"audio/([a-z_]+-[a-z]+-\d+)-\d+-([abc])\.wav"):
        yield path, device.upper(), place, place, ""


def _matched(folder, pattern):
    """Yield the path of every WAV file whose path ends as the pattern says, and the pattern's groups; sorted."""
    for path in sorted(folder.rglob("*.wav")):
        name = path.relative_to(folder).as_posix()
        match = re.fullmatch(rf"(?:.*/)?{pattern}", unicodedata.normalize("NFC", name))
        if match and not path.name.startswith("."):
            yield name, *match.groups()
