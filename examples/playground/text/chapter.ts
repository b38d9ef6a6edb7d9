import type { MethodName, SECTIONS } from "../chapter/methods";

/** What it is; what to look at in the run; another name for the button beside it than “without it”. */
type Entry = readonly [title: string, about: string, look: string, other?: string];

const enMethods: Record<MethodName, Entry> = {
  l2: [
    "L2 penalty (weight decay)",
    "Half the squared norm of the weights is added to the loss: a weight that the data do not need goes to 0. Under plain SGD that is weight decay; under Adam it is not, which is what AdamW is for.",
    "The boundary gets smooth, and the validation loss, penalty included, ends at about half.",
  ],
  l1: [
    "L1 penalty",
    "The sum of absolute values pulls at small weights as hard as at large ones, so many end at 0. Soft thresholding behind each step makes them exactly 0; plain subgradients only bring them near.",
    "In the histograms of weights a third and more are exactly 0, and the test accuracy is higher.",
  ],
  augmentation: [
    "Data augmentation",
    "A digit that is moved, turned or zoomed a little is the same digit: each update sees the images changed anew. Validation and test see them as they are.",
    "The training loss stays up, since nothing can be learned by heart; the validation loss ends at half.",
  ],
  inputNoise: [
    "Noise on inputs",
    "Who must give the same answer for x and for x with a little noise cannot be steep around the examples. To second order this is a penalty on the gradient by the inputs (Tikhonov).",
    "The boundary keeps away from single points; the validation loss no longer rises.",
  ],
  hiddenNoise: [
    "Noise on hidden units",
    "The same at a greater height: what is disturbed is what the net has made of its input.",
    "The test accuracy rises by several percent.",
  ],
  weightNoise: [
    "Noise on weights",
    "Each update takes the gradient at weights that are a little off, and applies it to the weights themselves. So training looks for places where the loss is flat.",
    "The validation loss rises later and less.",
  ],
  labelSmoothing: [
    "Label smoothing (noise on targets)",
    "Some labels are wrong, so no class deserves probability 1: a share s of each target is spread over all classes. Logits then need not grow without end.",
    "The colours of the plane become paler: the net is less sure of itself, and costs less where it errs.",
  ],
  multitask: [
    "Multitask learning",
    "Several outputs stand on one trunk, which learns from the examples of all of them. Here 60 of 1,000 images are labelled with their digit, and all with one of four groups of digits.",
    "The digits are learned better with the groups beside them than alone.",
  ],
  earlyStopping: [
    "Early stopping",
    "Training ends when the validation loss has not improved for p epochs, and the best epoch's weights are restored. It bounds how far weights get from where they began, as L2 does.",
    "The two marks on the curves: where it is best, and where it would stop. This run goes on past them, so that the loss is seen to rise.",
  ],
  parameterTying: [
    "Parameter tying",
    "Two nets that should be alike, though nobody knows how, are pulled towards each other. Here one learns from 60 images, the other from 60 others with half the contrast.",
    "Tied, the two have a higher mean accuracy than apart.",
  ],
  parameterSharing: [
    "Parameter sharing (convolution)",
    "What is useful at one place of an image is useful at another: one small kernel is moved over all of them. Fewer numbers learn from more examples each; the gradient is the sum over the places.",
    "A fifth of the parameters, and much the same accuracy.",
    "Dense layer",
  ],
  sparseRepresentation: [
    "Sparse representation",
    "The L1 penalty on a layer's outputs makes activations 0, other ones for each example: it is described by a few of many units. Behind ReLU they are exactly 0.",
    "In the histograms of activations the share of zeros goes from four in ten to two in three.",
  ],
  bagging: [
    "Bagging, and dropout against it",
    "k nets on k samples drawn with replacement vote; where their errors differ, they cancel. Dropout does it within one net for the price of one. The library's bagging() trains its members on all cores; here they come one after the other.",
    "300 digits, a fifth of them mislabelled: one net, one with dropout, the vote of ten.",
  ],
  dropout: [
    "Dropout",
    "At each update every hidden unit is left out with probability p, anew for each example: what is trained are the 2ⁿ nets of n units, which share their weights. In use all units are there.",
    "The training accuracy no longer reaches 1, and the test accuracy is higher.",
  ],
  adversarialTraining: [
    "Adversarial training",
    "A step of ε along the sign of the gradient by the input hardly changes an image, and can change the answer. Half of the loss is that of examples attacked so, so that the net has to be nearly constant around each.",
    "The accuracy under attack climbs from epoch to epoch, beside the plain one.",
  ],
  batch: [
    "Batch gradient descent",
    "The gradient of all examples is exact, and so the rate may stay as it is. It costs a pass over all of them, for one update.",
    "A smooth curve, and after 30 epochs, which are 30 updates, it has not got far.",
    "Minibatches",
  ],
  online: [
    "Online learning",
    "One example, one update: the noisiest gradient and the most updates. Batch sizes are a trade between the two.",
    "A ragged curve that falls fast. The rate has to be smaller.",
    "Minibatches",
  ],
  minibatch: [
    "Minibatches, reshuffled",
    "A mean can be estimated from a few: the error falls as 1/√n only, while the work grows as n. Each epoch has a new order, so that batches are samples.",
    "In the same 30 epochs far lower than all at once. Here rows lie in random order anyway, so that one order for all epochs does little harm; in sorted data it does.",
    "Not reshuffled",
  ],
  learningRateDecay: [
    "Learning-rate decay",
    "A minibatch's noise does not vanish at the minimum: at a constant rate SGD wanders about it. So the rate falls, linearly to a hundredth, say.",
    "Towards the end the curves become calm, and the test accuracy is several percent higher.",
    "Constant rate",
  ],
  sgd: [
    "Stochastic gradient descent",
    "A step against an estimate of the gradient. On average the direction is right.",
    "Solid: with the noise of small batches, wandering to the end. Dashed: the exact gradient.",
  ],
  momentum: [
    "Momentum and Nesterov",
    "Gradients add up: what points to and fro cancels, what points the same way gathers speed, up to 1/(1 − μ) times. Nesterov's looks at the gradient one step ahead. Neither cures vanishing gradients: 0 added up is 0.",
    "SGD crawls along the ravine; momentum swings, and is at the bottom long before.",
  ],
  adagrad: [
    "AdaGrad",
    "Each parameter has its own rate: where its gradients were large it falls fast, where they were small slowly. It falls for good.",
    "Inputs differ in scale a hundredfold: the loss ends at half of what SGD reaches at its best rate.",
    "SGD",
  ],
  rmsprop: [
    "RMSProp",
    "AdaGrad with a memory that fades: the mean of squares is a moving one, so that the rate can rise again.",
    "A lower loss than AdaGrad's on the same data. In the race AdaGrad runs out of breath on the plateau.",
    "SGD",
  ],
  adam: [
    "Adam",
    "Momentum over RMSProp's scaling, both corrected for having started at 0.",
    "The lowest loss of all at their best rates on these inputs.",
    "SGD",
  ],
  symmetry: [
    "Breaking symmetry",
    "Units with equal weights get equal gradients and stay copies of one for ever. So weights start at random; biases may be 0.",
    "With zeros the loss does not move from log 10, and the histograms stay one bar.",
    "All weights 0",
  ],
  xavier: [
    "Xavier (Glorot) initialization",
    "Weights of a size at which signals on the way up and gradients on the way down keep theirs, layer by layer; a little off, and over ten layers it is off by the tenth power.",
    "Gradient norms of all layers are alike. With weights far too small the first ones are 13 powers of ten below, and nothing is learned.",
    "Far too small",
  ],
  batchNorm: [
    "Batch normalization",
    "Each unit has mean 0 and variance 1 over the minibatch, then a scale and an offset that are learned; in use, moving averages stand in. So layers do not depend on the size of what is below them.",
    "Ten layers from weights far too small: with it the net learns, without it not at all.",
  ],
  illConditioning: [
    "Ill-conditioning",
    "Where the loss curves strongly one way and hardly another, a rate that is stable across is tiny along: the second-order term eats what the first gains.",
    "SGD hops across the ravine and creeps along it. With condition number 1 a rate of 0.5 is stable, and it goes straight down.",
    "Condition 1",
  ],
  localMinima: [
    "Local minima",
    "g = 0 with curvature upwards all round, and not the lowest. Where one ends depends on where one starts. In large nets most are good, and saddles are far more common.",
    "All three end in the hole next to where they began.",
    "Another start",
  ],
  saddlePoints: [
    "Saddle points",
    "g = 0, up one way, down another. Gradient descent slows down near one, and on its ridge it does not get away.",
    "Dashed, from the ridge: it runs into the saddle and stays. Solid: the least noise, as of minibatches, and it is gone.",
  ],
  clipping: [
    "Cliffs and clipping",
    "A product of many weights makes walls. On one the gradient says where to go, and nothing about how far: clipping bounds its norm and keeps its direction.",
    "Both begin on the wall. Dashed, unclipped: thrown far off the map. Solid: down to the foot.",
  ],
  vanishing: [
    "Vanishing gradients",
    "Back through t layers goes a product of t matrices: factors below 1 die out. A sigmoid's slope is at most ¼.",
    "Gradient norms by layer: six powers of ten between the last and the first, and nothing is learned. ReLU with He's weights keeps them alike.",
    "ReLU",
  ],
  exploding: [
    "Exploding gradients",
    "Factors above 1 blow up, and the first step throws the weights away.",
    "Weights far too large: the loss is not finite after one update. Try clipping: the run goes on, and only good initial weights make it learn.",
    "He's weights",
  ],
};

const en = {
  contents: "Contents",
  intro:
    "Regularization and optimization for deep learning, a paragraph, a formula and a run each. Runs start at once; all are the same to the bit wherever they are run.",
  sections: {
    regularization: "Regularization",
    optimization: "Optimization",
    difficulties: "Difficulties",
  } as Record<keyof typeof SECTIONS, string>,
  run: "Run",
  runOf: (title: string) => `Run: ${title}`,
  without: "Without it",
  otherOf: (other: string, title: string) => `${other}: ${title}`,
  race: "Race",
  raceOf: (title: string) => `Race: ${title}`,
  runHere: "Run here",
  running: "Training …",
  pageOf: (page: string) => `docs/${page}.md`,
  result: (percent: string, seconds: string) => `${percent} %, ${seconds} s`,
  accuracy: "Test accuracy",
  arms: {
    alone: "alone",
    together: "together",
    apart: "apart",
    tied: "tied",
    single: "one net",
    dropout: "with dropout",
    bagging: "ten nets",
  } as Record<string, string>,
  methods: enMethods,
};

const koMethods: Record<MethodName, Entry> = {
  l2: [
    "L2 규제(가중치 감쇠)",
    "가중치 노름의 제곱의 절반을 손실에 더합니다. 데이터에 필요 없는 가중치는 0으로 갑니다. 보통의 SGD에서는 가중치 감쇠와 같지만 Adam에서는 다르며, 그래서 AdamW가 있습니다.",
    "결정 경계가 매끄러워지고, 검증 손실은 규제 항을 더하고도 절반쯤에서 끝납니다.",
  ],
  l1: [
    "L1 규제",
    "절댓값의 합은 작은 가중치도 큰 가중치만큼 세게 당기므로 많은 가중치가 0이 됩니다. 걸음마다 소프트 임계를 적용하면 정확히 0이 되고, 서브그레이디언트만으로는 0 가까이 갈 뿐입니다.",
    "가중치 히스토그램에서 3분의 1 이상이 정확히 0이고, 시험 정확도도 더 높습니다.",
  ],
  augmentation: [
    "데이터 증강",
    "조금 옮기거나 돌리거나 확대한 숫자는 여전히 같은 숫자입니다. 갱신할 때마다 새로 변형한 이미지를 씁니다. 검증과 시험에는 원래 이미지를 씁니다.",
    "외워서는 맞힐 수 없으므로 학습 손실은 높게 남고, 검증 손실은 절반에서 끝납니다.",
  ],
  inputNoise: [
    "입력 잡음",
    "x에도, 잡음이 조금 섞인 x에도 같은 답을 해야 하면 예제 주변에서 가파를 수 없습니다. 2차 근사로는 입력에 대한 기울기에 거는 규제(티호노프)입니다.",
    "결정 경계가 점 하나하나를 쫓지 않고, 검증 손실이 더는 오르지 않습니다.",
  ],
  hiddenNoise: [
    "은닉층 잡음",
    "같은 일을 더 높은 층에서 합니다. 신경망이 입력에서 만들어 낸 표현이 흔들립니다.",
    "시험 정확도가 몇 퍼센트 오릅니다.",
  ],
  weightNoise: [
    "가중치 잡음",
    "조금 어긋난 가중치에서 기울기를 구해 원래 가중치에 적용합니다. 그래서 손실이 평평한 곳을 찾게 됩니다.",
    "검증 손실이 더 늦게, 더 적게 오릅니다.",
  ],
  labelSmoothing: [
    "레이블 평활화(목푯값 잡음)",
    "레이블에는 틀린 것도 있으므로 확률 1을 줄 만한 부류는 없습니다. 목푯값의 비율 s를 모든 부류에 고르게 나눕니다. 그러면 로짓이 끝없이 커질 필요가 없습니다.",
    "평면의 색이 옅어집니다. 신경망이 덜 확신하므로 틀렸을 때의 손실도 작습니다.",
  ],
  multitask: [
    "다중 작업 학습",
    "여러 출력이 한 몸통 위에 서고, 몸통은 모든 작업의 예제에서 배웁니다. 여기서는 1,000개의 이미지 가운데 60개에만 숫자 레이블이 있고, 네 묶음 가운데 어느 것인지는 모두에 있습니다.",
    "숫자만 배울 때보다 묶음을 함께 배울 때 숫자를 더 잘 맞힙니다.",
  ],
  earlyStopping: [
    "조기 종료",
    "검증 손실이 p에폭 동안 나아지지 않으면 학습을 멈추고 가장 좋았던 에폭의 가중치로 되돌립니다. L2 규제처럼 가중치가 출발점에서 멀어지는 정도를 제한합니다.",
    "곡선의 두 표시가 가장 좋은 에폭과 멈출 에폭입니다. 손실이 오르는 것이 보이도록 이 실행은 그 뒤로도 계속합니다.",
  ],
  parameterTying: [
    "매개변수 묶기",
    "닮아야 하지만 어떻게 닮아야 하는지는 모르는 두 신경망을 서로 끌어당깁니다. 여기서는 하나가 이미지 60개에서, 다른 하나가 대비를 절반으로 낮춘 다른 60개에서 배웁니다.",
    "묶으면 따로 배울 때보다 두 신경망의 평균 정확도가 높습니다.",
  ],
  parameterSharing: [
    "매개변수 공유(합성곱)",
    "이미지의 한 곳에서 쓸모 있는 것은 다른 곳에서도 쓸모 있습니다. 작은 커널 하나를 모든 위치에 씁니다. 더 적은 수가 각각 더 많은 예제에서 배우며, 기울기는 모든 위치의 합입니다.",
    "매개변수가 5분의 1인데도 정확도는 거의 같습니다.",
    "완전연결층",
  ],
  sparseRepresentation: [
    "희소 표현",
    "층의 출력에 L1 규제를 걸면 활성값이 0이 되며, 예제마다 0이 되는 유닛이 다릅니다. 많은 유닛 가운데 몇 개만으로 예제를 나타냅니다. ReLU 뒤에서는 정확히 0입니다.",
    "활성값 히스토그램에서 0의 비율이 10분의 4에서 3분의 2로 늘어납니다.",
  ],
  bagging: [
    "배깅, 그리고 드롭아웃과의 비교",
    "복원 추출한 표본 k개로 학습한 신경망 k개가 투표합니다. 서로 다른 오차는 상쇄됩니다. 드롭아웃은 이를 신경망 하나 안에서, 하나의 비용으로 합니다. 라이브러리의 bagging()은 모든 코어를 써서 학습하며, 여기서는 하나씩 차례로 학습합니다.",
    "5분의 1의 레이블이 틀린 숫자 300개: 신경망 하나, 드롭아웃을 쓴 하나, 열 개의 투표입니다.",
  ],
  dropout: [
    "드롭아웃",
    "갱신할 때마다, 예제마다 새로, 은닉 유닛을 확률 p로 뺍니다. 가중치를 함께 쓰는 2ⁿ개의 신경망(유닛 n개)을 학습하는 셈입니다. 쓸 때는 모든 유닛을 씁니다.",
    "학습 정확도는 1에 이르지 못하고, 시험 정확도는 더 높습니다.",
  ],
  adversarialTraining: [
    "적대적 훈련",
    "입력에 대한 기울기의 부호 쪽으로 ε만큼 옮기면 이미지는 거의 그대로인데 답이 바뀔 수 있습니다. 손실의 절반을 그렇게 공격받은 예제로 계산하면 신경망은 예제 주변에서 거의 일정해야 합니다.",
    "공격받을 때의 정확도가 보통의 정확도와 나란히 에폭마다 오릅니다.",
  ],
  batch: [
    "배치 경사 하강법",
    "모든 예제의 기울기는 정확하므로 학습률을 그대로 두어도 됩니다. 대신 한 번 갱신하려면 모든 예제를 거쳐야 합니다.",
    "곡선은 매끄럽지만 30에폭, 곧 30번의 갱신으로는 멀리 가지 못합니다.",
    "미니배치",
  ],
  online: [
    "온라인 학습",
    "예제 하나에 갱신 한 번입니다. 기울기는 가장 시끄럽고 갱신은 가장 많습니다. 배치 크기는 둘 사이의 절충입니다.",
    "곡선이 거칠지만 빠르게 내려갑니다. 학습률은 더 작아야 합니다.",
    "미니배치",
  ],
  minibatch: [
    "미니배치와 다시 섞기",
    "평균은 몇 개만으로도 추정할 수 있습니다. 오차는 1/√n로 줄 뿐인데 계산은 n배로 늘기 때문입니다. 에폭마다 순서를 새로 섞어 배치가 표본이 되게 합니다.",
    "같은 30에폭에 전체 배치보다 훨씬 낮아집니다. 여기서는 데이터가 이미 무작위 순서이므로 다시 섞지 않아도 큰 해가 없지만, 정렬된 데이터에서는 다릅니다.",
    "섞지 않음",
  ],
  learningRateDecay: [
    "학습률 감쇠",
    "미니배치의 잡음은 최소점에서도 사라지지 않으므로, 학습률이 일정하면 SGD는 그 둘레를 떠돕니다. 그래서 학습률을 이를테면 100분의 1까지 선형으로 낮춥니다.",
    "끝으로 갈수록 곡선이 잔잔해지고, 시험 정확도가 몇 퍼센트 높습니다.",
    "일정한 학습률",
  ],
  sgd: [
    "확률적 경사 하강법",
    "기울기의 추정값을 거슬러 한 걸음 갑니다. 평균으로는 방향이 옳습니다.",
    "실선은 작은 배치의 잡음이 있어 끝까지 떠돕니다. 점선은 정확한 기울기입니다.",
  ],
  momentum: [
    "모멘텀과 네스테로프",
    "기울기를 쌓습니다. 오락가락하는 것은 상쇄되고 같은 쪽을 가리키는 것은 최대 1/(1 − μ)배까지 빨라집니다. 네스테로프는 한 걸음 앞의 기울기를 봅니다. 둘 다 기울기 소실은 고치지 못합니다. 0은 쌓아도 0입니다.",
    "SGD는 골짜기를 기어가고, 모멘텀은 흔들리면서도 훨씬 먼저 바닥에 닿습니다.",
  ],
  adagrad: [
    "AdaGrad",
    "매개변수마다 학습률이 다릅니다. 기울기가 컸던 곳에서는 빨리, 작았던 곳에서는 천천히 줄어듭니다. 한번 줄면 다시 늘지 않습니다.",
    "입력의 눈금이 100배까지 다릅니다. 손실이 가장 좋은 학습률의 SGD보다 절반 아래에서 끝납니다.",
    "SGD",
  ],
  rmsprop: [
    "RMSProp",
    "옛일을 잊는 AdaGrad입니다. 제곱의 이동 평균을 쓰므로 학습률이 다시 커질 수 있습니다.",
    "같은 데이터에서 AdaGrad보다 손실이 낮습니다. 경주에서는 AdaGrad가 고원에서 지칩니다.",
    "SGD",
  ],
  adam: [
    "Adam",
    "RMSProp의 눈금 조정에 모멘텀을 더하고, 둘 다 0에서 시작한 만큼 보정합니다.",
    "이 입력에서 저마다 가장 좋은 학습률을 썼을 때 손실이 가장 낮습니다.",
    "SGD",
  ],
  symmetry: [
    "대칭 깨기",
    "가중치가 같은 유닛은 기울기도 같아서 영원히 서로의 복사본입니다. 그래서 가중치는 무작위로 시작합니다. 편향은 0이어도 됩니다.",
    "모두 0이면 손실이 log 10에서 움직이지 않고 히스토그램은 막대 하나로 남습니다.",
    "가중치 모두 0",
  ],
  xavier: [
    "세이비어(글로럿) 초기화",
    "올라가는 신호와 내려오는 기울기의 크기가 층마다 유지되는 크기로 가중치를 정합니다. 조금만 어긋나도 열 층이면 그 열제곱만큼 어긋납니다.",
    "모든 층의 기울기 노름이 비슷합니다. 가중치가 너무 작으면 첫 층은 열세 자릿수나 작아 아무것도 배우지 못합니다.",
    "너무 작게",
  ],
  batchNorm: [
    "배치 정규화",
    "유닛마다 미니배치에서 평균 0, 분산 1로 맞춘 다음 학습되는 배율과 이동을 적용합니다. 쓸 때는 이동 평균을 대신 씁니다. 그래서 층은 아래층 값의 크기에 매이지 않습니다.",
    "너무 작은 가중치에서 시작한 열 층입니다. 있으면 배우고, 없으면 전혀 배우지 못합니다.",
  ],
  illConditioning: [
    "악조건",
    "손실이 한쪽으로 심하게 굽고 다른 쪽으로는 거의 굽지 않으면, 가로질러 안정한 학습률은 따라가기에는 너무 작습니다. 2차항이 1차항의 이득을 먹어 버립니다.",
    "SGD는 골짜기를 가로질러 뛰며 따라서는 기어갑니다. 조건수가 1이면 학습률 0.5도 안정해서 곧장 내려갑니다.",
    "조건수 1",
  ],
  localMinima: [
    "극소점",
    "g = 0이고 사방으로 위로 굽지만 가장 낮은 곳은 아닙니다. 어디에서 끝나는지는 출발점에 달려 있습니다. 큰 신경망에서는 극소점 대부분이 쓸 만하고, 안장점이 훨씬 흔합니다.",
    "셋 다 출발점 옆의 구멍에서 끝납니다.",
    "다른 출발점",
  ],
  saddlePoints: [
    "안장점",
    "g = 0인데 한쪽으로는 오르고 다른 쪽으로는 내려갑니다. 경사 하강법은 그 가까이에서 느려지고, 능선 위에서는 벗어나지 못합니다.",
    "점선은 능선에서 출발해 안장점에 들어가 머뭅니다. 실선은 미니배치처럼 잡음이 아주 조금 있어 벗어납니다.",
  ],
  clipping: [
    "절벽과 기울기 자르기",
    "많은 가중치의 곱은 벽을 만듭니다. 벽에서 기울기는 어디로 갈지만 알려 줄 뿐 얼마나 갈지는 모릅니다. 자르기는 방향을 지키며 노름을 제한합니다.",
    "둘 다 벽에서 출발합니다. 자르지 않은 점선은 지도 밖 멀리 튕겨 나가고, 실선은 벽 밑으로 내려갑니다.",
  ],
  vanishing: [
    "기울기 소실",
    "t개의 층을 거슬러 가면 행렬 t개가 곱해집니다. 1보다 작은 인수는 사라집니다. 시그모이드의 기울기는 많아야 ¼입니다.",
    "층별 기울기 노름이 마지막 층과 첫 층 사이에서 여섯 자릿수 다르고, 아무것도 배우지 못합니다. He 가중치의 ReLU에서는 비슷하게 유지됩니다.",
    "ReLU",
  ],
  exploding: [
    "기울기 폭발",
    "1보다 큰 인수는 끝없이 커지고, 첫 걸음이 가중치를 멀리 내던집니다.",
    "가중치가 너무 크면 한 번 갱신한 뒤 손실이 유한하지 않습니다. 자르기를 쓰면 계속할 수는 있지만, 배우게 하는 것은 알맞은 초기 가중치뿐입니다.",
    "He 가중치",
  ],
};

const ko: typeof en = {
  contents: "차례",
  intro:
    "심층 학습의 규제와 최적화를 설명, 수식, 실행으로 하나씩 보입니다. 실행은 바로 시작되며 어디서 실행해도 비트까지 같습니다.",
  sections: { regularization: "규제", optimization: "최적화", difficulties: "어려움" },
  run: "실행",
  runOf: (title) => `실행: ${title}`,
  without: "없이 실행",
  otherOf: (other, title) => `${other}: ${title}`,
  race: "경주",
  raceOf: (title) => `경주: ${title}`,
  runHere: "여기서 실행",
  running: "학습 중 …",
  pageOf: (page) => `docs/${page}.md`,
  result: (percent, seconds) => `${percent}%, ${seconds}초`,
  accuracy: "시험 정확도",
  arms: {
    alone: "따로",
    together: "함께",
    apart: "따로",
    tied: "묶어서",
    single: "신경망 하나",
    dropout: "드롭아웃",
    bagging: "신경망 열 개",
  },
  methods: koMethods,
};

export const chapterText = { en, ko };
