// Names that a type of a user's own may not have: files tell types apart by name alone.

const LAYERS = `input dense conv1d conv2d depthwiseConv2d separableConv2d conv2dTranspose maxPool2d averagePool2d
globalAveragePool2d globalMaxPool2d upSampling2d zeroPadding2d flatten reshape permute rescaling embedding simpleRnn
lstm gru bidirectional multiHeadAttention positionEmbedding batchNorm layerNorm groupNorm dropout spatialDropout2d
gaussianNoise gaussianDropout alphaDropout activation relu leakyRelu prelu elu selu gelu silu sigmoid tanh softplus
softmax add subtract multiply average maximum concatenate
importedClip importedLogSoftmax importedPool2d importedRecurrent importedSlice`;
const LOSSES = `softmaxCrossEntropy binaryCrossEntropy meanSquaredError meanAbsoluteError huber hinge kullbackLeibler poisson
cosineSimilarity`;
const METRICS = `accuracy topKAccuracy precision recall f1 auc meanAbsoluteError rSquared`;
/** What logs say themselves. */
const LOGS = `loss dataLoss penalty learningRate`;

const BUILTINS = { layer: LAYERS, loss: LOSSES, metric: `${METRICS} ${LOGS}` };

/** Whether the library has that name, for a type or, of metrics, in logs. */
export const isBuiltin = (family: keyof typeof BUILTINS, type: string): boolean =>
  BUILTINS[family].split(/\s/).includes(type);
