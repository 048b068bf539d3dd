"""Shared fixtures."""

import signal
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf


def device_noise(device, recording, *, seconds, samplerate, seed=0):
    """Return noise whose colour belongs to the device and whose samples belong to the recording, float32."""
    colour = np.random.default_rng(zlib.crc32(device.encode())).standard_normal(16) / 4
    rng = np.random.default_rng([seed, zlib.crc32(f"{device}/{recording}".encode())])
    noise = np.convolve(rng.standard_normal(int(seconds * samplerate)), colour, mode="same")
    return (0.02 * noise).astype(np.float32)


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c_is_heard():
    """Let SIGINT interrupt, also where a shell runs the tests in the background and has it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def make_recordings():
    """A function that writes a small corpus of WAV files and returns its folder."""

    def make(folder, *, devices=("ash", "beech"), recordings=("clip1", "clip2", "clip3"), seconds=0.5, samplerate=16000,
             channels=1, suffix=".wav", flat=False, seed=0):
        for device in devices:
            for recording in recordings:
                name = f"{device}-{recording}{suffix}" if flat else f"{device}/{recording}{suffix}"
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                y = device_noise(device, recording, seconds=seconds, samplerate=samplerate, seed=seed)
                sf.write(path, np.stack([y] * channels, axis=1), samplerate)
        return Path(folder)

    return make
