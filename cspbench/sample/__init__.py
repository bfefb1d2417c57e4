"""The bundled sample: drawn image sets in ImageNet's and COCO's layouts, and two small networks trained on such images.

Nothing is downloaded. A picture depends on its seed alone and is the same on every machine.
"""
