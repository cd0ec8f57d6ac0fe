/**
 * What ONNX Runtime's own gradient builder knew (`gradient_builder_registry.cc` of 1.17, with the
 * later Resize, Atan and GlobalMaxPool): standard operators.
 */
export const ONNX_RUNTIME_STANDARD: readonly string[] = [
  ...['Abs', 'Add', 'Atan', 'AveragePool', 'Cast', 'Clip', 'Concat', 'Conv', 'ConvTranspose'],
  ...['Cos', 'Div', 'Dropout', 'Erf', 'Exp', 'Expand', 'Flatten', 'Gather', 'GatherElements'],
  ...['GatherND', 'Gemm', 'GlobalAveragePool', 'GlobalMaxPool', 'Identity'],
  ...['LayerNormalization', 'LeakyRelu', 'Log', 'LogSoftmax', 'MatMul', 'Max', 'MaxPool', 'Min'],
  ...['Mul', 'Neg', 'Pad', 'Pow', 'Reciprocal', 'ReduceL2', 'ReduceLogSumExp', 'ReduceMean'],
  ...['ReduceSum', 'Relu', 'Reshape', 'Resize', 'ScatterElements', 'ScatterND', 'Sigmoid', 'Sin'],
  ...['Slice', 'Softmax', 'SoftmaxCrossEntropyLoss', 'Split', 'Sqrt', 'Squeeze', 'Sub', 'Tanh'],
  ...['Tile', 'TopK', 'Transpose', 'Trilu', 'Unsqueeze', 'Where'],
];
