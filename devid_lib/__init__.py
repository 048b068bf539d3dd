"""Which device made this recording? Feature extraction and Keras model builders for the notebooks."""

__version__ = "0.1.0"
