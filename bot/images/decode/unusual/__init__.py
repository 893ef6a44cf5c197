"""Files that the ordinary decoders refuse, misread or show in part: what is odd about them, and how to read them.

It needs Pillow and NumPy only, like the decoder.
"""
