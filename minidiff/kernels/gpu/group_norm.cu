// Group norm, channels last: y = (x − mean) · rstd · weight + bias, mean and variance over the pixels and channels of
// a group of one sample.
//
// A block takes one sample and `blockDim.x` neighbouring channels, which are whole groups. Its thread (c, r) walks down
// the pixels r, r + rows, ... of channel c, so that neighbouring threads read neighbouring elements.
// Bytes: forward reads x twice, the second time mostly from the L2 cache, and writes y; backward reads x and dy twice
// and writes dx.

// The sum of `value` over the threads of one channel, for each of them.
__device__ Real sum_over_pixels(Real value, Real *scratch) {
    scratch[threadIdx.y * blockDim.x + threadIdx.x] = value;
    __syncthreads();
    Real sum = 0;
    for (int r = 0; r < blockDim.y; r++) sum += scratch[r * blockDim.x + threadIdx.x];
    __syncthreads();
    return sum;
}

// The sum of `value`, one for each channel, over the channels of a group.
__device__ Real sum_over_group(Real value, Real *scratch, int per_group) {
    if (threadIdx.y == 0) scratch[threadIdx.x] = value;
    __syncthreads();
    Real sum = 0;
    for (int k = 0; k < per_group; k++) sum += scratch[threadIdx.x / per_group * per_group + k];
    __syncthreads();
    return sum;
}

extern "C" __global__ void __launch_bounds__(512)
group_norm(const T *x, const T *weight, const T *bias, T *y, Real *statistics,
           int pixels, int channels, int per_group, double eps) {
    __shared__ Real scratch[512];
    const int c = blockIdx.x * blockDim.x + threadIdx.x;
    const long long first = (long long)blockIdx.y * pixels * channels + c;
    const Real shift = (Real)x[first - threadIdx.x % per_group];    // near the mean: x² − mean² would cancel
    Real sum = 0, squares = 0;
    for (int p = threadIdx.y; p < pixels; p += blockDim.y) {
        const Real d = (Real)x[first + (long long)p * channels] - shift;
        sum += d;
        squares += d * d;
    }
    const Real count = (Real)pixels * per_group;
    const Real offset = sum_over_group(sum_over_pixels(sum, scratch), scratch, per_group) / count;
    const Real square = sum_over_group(sum_over_pixels(squares, scratch), scratch, per_group) / count;
    const Real variance = square - offset * offset;
    const Real mean = shift + offset, rstd = 1 / sqrt((variance > 0 ? variance : 0) + (Real)eps);
    if (threadIdx.y == 0) {
        Real *of_channel = statistics + 2 * ((long long)blockIdx.y * channels + c);
        of_channel[0] = mean;
        of_channel[1] = rstd;
    }
    const Real scale = rstd * (Real)weight[c], constant = (Real)bias[c];
    for (int p = threadIdx.y; p < pixels; p += blockDim.y) {
        const long long i = first + (long long)p * channels;
        y[i] = (T)(((Real)x[i] - mean) * scale + constant);
    }
}

// dx = rstd · (dx̂ − mean(dx̂) − x̂ · mean(dx̂ · x̂)), dx̂ = dy · weight; sums (N, 2, C) are dweight and dbias per sample.
extern "C" __global__ void __launch_bounds__(512)
group_norm_backward(const T *x, const T *dy, const T *weight, const Real *statistics, T *dx, Real *sums,
                    int pixels, int channels, int per_group) {
    __shared__ Real scratch[512];
    const int c = blockIdx.x * blockDim.x + threadIdx.x;
    const long long first = (long long)blockIdx.y * pixels * channels + c;
    const Real *of_channel = statistics + 2 * ((long long)blockIdx.y * channels + c);
    const Real mean = of_channel[0], rstd = of_channel[1], scale = (Real)weight[c];
    Real dweight = 0, dbias = 0;
    for (int p = threadIdx.y; p < pixels; p += blockDim.y) {
        const long long i = first + (long long)p * channels;
        dweight += (Real)dy[i] * ((Real)x[i] - mean) * rstd;
        dbias += (Real)dy[i];
    }
    dweight = sum_over_pixels(dweight, scratch);
    dbias = sum_over_pixels(dbias, scratch);
    if (threadIdx.y == 0) {
        sums[(2ll * blockIdx.y) * channels + c] = dweight;
        sums[(2ll * blockIdx.y + 1) * channels + c] = dbias;
    }
    const Real count = (Real)pixels * per_group;
    const Real mean_dxhat = sum_over_group(dbias * scale, scratch, per_group) / count;
    const Real mean_product = sum_over_group(dweight * scale, scratch, per_group) / count;
    for (int p = threadIdx.y; p < pixels; p += blockDim.y) {
        const long long i = first + (long long)p * channels;
        const Real xhat = ((Real)x[i] - mean) * rstd;
        dx[i] = (T)(rstd * ((Real)dy[i] * scale - mean_dxhat - xhat * mean_product));
    }
}
