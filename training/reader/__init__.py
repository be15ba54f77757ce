"""How the bundled reader is made: data → examples → network → int8 ONNX. See README.md."""
