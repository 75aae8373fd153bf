"""The TensorFlow operations that an exported graph may hold.

The newest TF Serving is 2.20, one behind the TensorFlow that writes. Every operation below is
registered in TensorFlow 2.20.0 and runs on a CPU. Operations that read or write other files, call
Python, print, or draw random numbers are left out on purpose. When an export fails on an operation,
look it up in the server's version before it is added.
"""

from __future__ import annotations

_VARIABLES_AND_CHECKPOINT = """
    AssignVariableOp DisableCopyOnRead MergeV2Checkpoints ReadVariableOp ResourceGather
    ResourceGatherNd RestoreV2 SaveV2 ShardedFilename VarHandleOp VarIsInitializedOp
    VariableShape
"""

_FLOW = """
    Assert Case Const EnsureShape Fill Identity IdentityN If NoOp PartitionedCall Placeholder
    PlaceholderWithDefault PreventGradient StatefulPartitionedCall StatelessCase StatelessIf
    StatelessWhile StopGradient While
"""

_LISTS = """
    EmptyTensorList TensorListConcatV2 TensorListElementShape TensorListFromTensor
    TensorListGather TensorListGetItem TensorListLength TensorListPopBack TensorListPushBack
    TensorListReserve TensorListResize TensorListScatterV2 TensorListSetItem TensorListSplit
    TensorListStack
"""

_SHAPES = """
    BatchToSpaceND Bitcast BroadcastArgs BroadcastGradientArgs BroadcastTo Cast ConcatOffset
    ConcatV2 DepthToSpace DynamicPartition DynamicStitch ExpandDims GatherNd GatherV2
    InvertPermutation ListDiff MatrixBandPart MatrixDiagPartV3 MatrixDiagV3 MatrixSetDiagV3
    MirrorPad OneHot OnesLike Pack Pad PadV2 ParallelDynamicStitch Range Rank Reshape
    ResizeBilinear ResizeNearestNeighbor ReverseSequence ReverseV2 Roll ScatterNd Select
    SelectV2 Shape ShapeN Size Slice SpaceToBatchND SpaceToDepth Split SplitV Squeeze
    StridedSlice TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub
    TensorScatterUpdate Tile Transpose Unique UniqueV2 UniqueWithCounts UniqueWithCountsV2
    Unpack UnravelIndex Where ZerosLike
"""

_NUMBERS = """
    Abs AccumulateNV2 Acos Acosh Add AddN AddV2 All Any ApproximateEqual ArgMax ArgMin Asin
    Asinh Atan Atan2 Atanh BatchMatMulV2 BatchMatMulV3 BitwiseAnd BitwiseOr BitwiseXor Bucketize
    Ceil Cholesky ClipByValue Complex ComplexAbs Conj Cos Cosh Cross Cumprod Cumsum
    CumulativeLogsumexp DenseBincount Digamma Div DivNoNan Einsum Equal Erf Erfc Erfinv
    EuclideanNorm Exp Expm1 FFT FFT2D FFT3D Floor FloorDiv FloorMod Greater GreaterEqual IFFT
    IFFT2D IFFT3D IRFFT IRFFT2D Imag Invert IsFinite IsInf IsNan L2Loss LeftShift Less LessEqual
    Lgamma LinSpace Log Log1p LogicalAnd LogicalNot LogicalOr LowerBound MatMul MatrixInverse
    MatrixSolve MatrixTriangularSolve Max Maximum Mean Min Minimum Mod Mul MulNoNan Ndtri Neg
    NotEqual NthElement Pow Prod RFFT RFFT2D Real RealDiv Reciprocal RightShift Rint Round Rsqrt
    SegmentMax SegmentMaxV2 SegmentMean SegmentMin SegmentMinV2 SegmentProd SegmentProdV2
    SegmentSum SegmentSumV2 Sign Sin Sinh Sqrt Square SquaredDifference Sub Sum Tan Tanh TopKV2
    TruncateDiv TruncateMod UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd
    UnsortedSegmentSum UpperBound Xdivy Xlog1py Xlogy
"""

_NETWORKS = """
    AvgPool AvgPool3D BiasAdd BlockLSTMV2 Conv2D Conv2DBackpropInput Conv2DBackpropInputV2 Conv3D
    Conv3DBackpropInputV2 DepthwiseConv2dNative Dilation2D Elu FusedBatchNormV3 InTopKV2 LRN
    LeakyRelu LogSoftmax MaxPool MaxPool3D MaxPoolV2 Relu Relu6 Selu Sigmoid Softmax Softplus
    Softsign
"""

_STRINGS = """
    AsString HashTableV2 InitializeTableV2 LookupTableExportV2 LookupTableFindV2
    LookupTableImportV2 LookupTableInsertV2 LookupTableSizeV2 MutableHashTableV2 ReduceJoin
    RegexFullMatch RegexReplace StaticRegexFullMatch StaticRegexReplace StringFormat StringJoin
    StringLength StringLower StringNGrams StringSplitV2 StringStrip StringToHashBucketFast
    StringToHashBucketStrong StringToNumber StringUpper Substr UnicodeDecode
    UnicodeDecodeWithOffsets UnicodeEncode UnicodeTranscode UnsortedSegmentJoin
"""

_RAGGED = """
    RaggedGather RaggedRange RaggedTensorFromVariant RaggedTensorToSparse RaggedTensorToTensor
    RaggedTensorToVariant SparseReorder SparseReshape SparseTensorDenseMatMul SparseToDense
"""

SERVABLE = frozenset(
    " ".join(
        [
            _VARIABLES_AND_CHECKPOINT,
            _FLOW,
            _LISTS,
            _SHAPES,
            _NUMBERS,
            _NETWORKS,
            _STRINGS,
            _RAGGED,
        ]
    ).split()
)
