"""Which device made this recording? Feature extraction and Keras model builders for the notebooks."""

__version__ = "0.2.0"
