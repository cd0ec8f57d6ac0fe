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

/**
 * The rest of its list, by what does the same here: operators that ONNX Runtime's own training
 * passes wrote into a graph, and no exporter. Undefined is what is refused.
 */
export const ONNX_RUNTIME_OTHERS: ReadonlyMap<string, string | undefined> = new Map([
  ['BatchNormInternal', 'BatchNormalization'],
  ['Gelu', 'com.microsoft.Gelu'],
  ['BiasGelu', 'com.microsoft.BiasGelu'],
  ['FastGelu', 'com.microsoft.FastGelu'],
  ['QuickGelu', 'com.microsoft.QuickGelu'],
  ['SimplifiedLayerNormalization', 'SimplifiedLayerNormalization'],
  ['LSTMTraining', 'LSTM'],
  ['GRUTraining', 'GRU'],
  ['ConcatTraining', 'Concat'],
  ['PadAndUnflatten', 'ScatterND'],
  ['ScaledSum', 'Sum'],
  ['ShrunkenGather', 'Gather'],
  ['SoftmaxCrossEntropy', 'SoftmaxCrossEntropyLoss'],
  ['SoftmaxCrossEntropyLossInternal', 'SoftmaxCrossEntropyLoss'],
  ['SparseSoftmaxCrossEntropy', 'SoftmaxCrossEntropyLoss'],
  // It computes with quantised numbers.
  ['FakeQuant', undefined],
]);

/** Of its list what speaks with other processes or calls Python: no mathematics. */
export const ONNX_RUNTIME_PLUMBING: readonly string[] = [
  ...['MegatronF', 'MegatronG', 'Send', 'Recv', 'PythonOp', 'ExternalGradient'],
];
