"""Models as files of other programs: ONNX, torch.export, TorchScript, Darknet, and weights under other names."""
