"""The training of a CSPDarknet as a classifier, as mmcls 0.23.2 has it for its classifiers."""
