// The norm of a gradient and the scale that clips it: n = ‖g‖, s = min(1, clip / (n + 10⁻⁶)).
//
// The blocks of `squares` each add up the squares of some elements, and the one of `clipping` adds up their sums, always
// in the same order, so that the same gradient has the same bits.
// Bytes: g is read: 4 for each parameter in float32.

// The sum of `value` over the 256 threads of a block, for each of them.
__device__ Real sum_over_block(Real value) {
    __shared__ Real of_warps[8];
    value = sum_over_warp(value);
    if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = value;
    __syncthreads();
    return sum_over_warp(threadIdx.x % 32 < 8 ? of_warps[threadIdx.x % 32] : 0);
}

extern "C" __global__ void __launch_bounds__(256)
squares(const T *g, Real *sums, int count) {
    const long long stride = (long long)gridDim.x * blockDim.x;
    Real sum = 0;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += stride)
        sum += (Real)g[i] * (Real)g[i];
    sum = sum_over_block(sum);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

extern "C" __global__ void __launch_bounds__(256)
clipping(const Real *sums, T *norm, T *scale, int count, double clip) {
    Real sum = 0;
    for (int i = threadIdx.x; i < count; i += blockDim.x) sum += sums[i];
    sum = sqrt(sum_over_block(sum));
    if (threadIdx.x > 0) return;
    const Real factor = (Real)clip / (sum + (Real)1e-6);
    norm[0] = (T)sum;
    // NaN in a gradient makes the scale NaN; an infinite norm, also one that overflowed, makes it 0.
    scale[0] = (T)(factor > 1 ? 1 : factor);
}
