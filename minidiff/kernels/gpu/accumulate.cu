// totals[i] += parts[i] for up to PAIRS pairs of arrays, which are not to overlap; blocks with y = i work on pair i.
//
// The pairs are an argument of the kernel, of at most 4 KiB, so that they become part of a recorded graph.
// Bytes: totals are read and written, parts are read.

struct Pair {
    T *total;
    const T *part;
    long long size;
};

struct Pairs {
    Pair pairs[PAIRS];
};

extern "C" __global__ void __launch_bounds__(256)
accumulate(const Pairs all) {
    const Pair pair = all.pairs[blockIdx.y];
    const long long stride = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < pair.size; i += stride)
        pair.total[i] = (T)((Real)pair.total[i] + (Real)pair.part[i]);
}
