"""The pictures on which mmcls trains its classifiers."""
