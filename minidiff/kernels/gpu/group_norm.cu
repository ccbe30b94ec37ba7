// Group norm, channels last: y = (x − mean) · rstd · weight + bias, mean and variance over the pixels and channels of
// a group of one sample.
//
// A block takes one sample, a run of its pixels, and `blockDim.x` neighbouring channels, which are whole groups. Its
// thread (c, r) walks down the pixels r, r + ROWS, ... of channel c, so that neighbouring threads read neighbouring
// elements, and several of them at once. Sums come first, and what follows from them second: by two launches, or, where
// one block has all pixels, by one.
// Bytes: forward reads x twice and writes y, backward reads x and dy twice and writes dx. What fits into the L2 cache is
// read there the second time.

struct Walk { int c, start, stop; long long first; };           // a thread's channel, its pixels, its element of pixel 0

__device__ Walk walk(int pixels, int channels, int run) {
    const int c = blockIdx.x * blockDim.x + threadIdx.x, end = (blockIdx.y + 1) * run;
    return {c, (int)(blockIdx.y * run + threadIdx.y), end < pixels ? end : pixels,
            (long long)blockIdx.z * pixels * channels + c};
}

// Two sums, over the threads of one channel, into sums[sample, run] (2, C).
__device__ void write_sums(Real one, Real other, Real *sums, int c, int channels) {
    __shared__ Real scratch[2][512];
    const int own = threadIdx.y * blockDim.x + threadIdx.x;
    scratch[0][own] = one;
    scratch[1][own] = other;
    __syncthreads();
    for (int which = threadIdx.y; which < 2; which += ROWS) {
        Real sum = 0;
        for (int r = 0; r < ROWS; r++) sum += scratch[which][r * blockDim.x + threadIdx.x];
        sums[(((long long)blockIdx.z * gridDim.y + blockIdx.y) * 2 + which) * channels + c] = sum;
    }
}

// One of the two sums, times `factor` of this channel, over all runs and over the channels of a group; for each thread.
__device__ Real read_sum(const Real *sums, int which, Real factor, int c, int channels, int per_group) {
    __shared__ Real scratch[512];
    if (threadIdx.y == 0) {
        Real sum = 0;
        #pragma unroll 4
        for (int r = 0; r < gridDim.y; r++)
            sum += sums[(((long long)blockIdx.z * gridDim.y + r) * 2 + which) * channels + c];
        scratch[threadIdx.x] = sum * factor;
    }
    __syncthreads();
    Real sum = 0;
    for (int k = 0; k < per_group; k++) sum += scratch[threadIdx.x / per_group * per_group + k];
    __syncthreads();
    return sum;
}

// Σ (x − shift), Σ (x − shift)², with one element of the group as shift: near the mean, x² − mean² would cancel.
__device__ void sum_forward(const T *x, Real *sums, const Walk &at, int channels, int per_group) {
    const Real shift = (Real)x[at.first - threadIdx.x % per_group];
    Real sum = 0, squares = 0;
    #pragma unroll 8
    for (int p = at.start; p < at.stop; p += ROWS) {
        const Real d = (Real)x[at.first + (long long)p * channels] - shift;
        sum += d;
        squares += d * d;
    }
    write_sums(sum, squares, sums, at.c, channels);
}

extern "C" __global__ void __launch_bounds__(512)
group_norm_sums(const T *__restrict__ x, Real *__restrict__ sums, int pixels, int channels, int per_group, int run) {
    sum_forward(x, sums, walk(pixels, channels, run), channels, per_group);
}

extern "C" __global__ void __launch_bounds__(512)
group_norm(const T *__restrict__ x, const T *__restrict__ weight, const T *__restrict__ bias,
           Real *sums, T *__restrict__ y, Real *__restrict__ statistics,
           int pixels, int channels, int per_group, int run, double eps) {
    const Walk at = walk(pixels, channels, run);
    if (gridDim.y == 1) {
        sum_forward(x, sums, at, channels, per_group);
        __syncthreads();                    // so that the block sees what its threads have written
    }
    const Real count = (Real)pixels * per_group;
    const Real offset = read_sum(sums, 0, 1, at.c, channels, per_group) / count;
    const Real variance = read_sum(sums, 1, 1, at.c, channels, per_group) / count - offset * offset;
    const Real mean = (Real)x[at.first - threadIdx.x % per_group] + offset;
    const Real rstd = 1 / sqrt((variance < 0 ? 0 : variance) + (Real)eps);      // so that NaN stays NaN
    if (threadIdx.y == 0 && blockIdx.y == 0) {
        Real *of_channel = statistics + 2 * ((long long)blockIdx.z * channels + at.c);
        of_channel[0] = mean;
        of_channel[1] = rstd;
    }
    const Real scale = rstd * (Real)weight[at.c], constant = (Real)bias[at.c];
    #pragma unroll 4
    for (int p = at.start; p < at.stop; p += ROWS) {
        const long long i = at.first + (long long)p * channels;
        y[i] = (T)(((Real)x[i] - mean) * scale + constant);
    }
}

// dweight = Σ dy · x̂ and dbias = Σ dy, over the pixels of a run.
__device__ void sum_backward(const T *x, const T *dy, Real mean, Real rstd, Real *sums, const Walk &at, int channels) {
    Real dweight = 0, dbias = 0;
    #pragma unroll 4
    for (int p = at.start; p < at.stop; p += ROWS) {
        const long long i = at.first + (long long)p * channels;
        dweight += (Real)dy[i] * (((Real)x[i] - mean) * rstd);
        dbias += (Real)dy[i];
    }
    write_sums(dweight, dbias, sums, at.c, channels);
}

extern "C" __global__ void __launch_bounds__(512)
group_norm_backward_sums(const T *__restrict__ x, const T *__restrict__ dy, const Real *__restrict__ statistics,
                         Real *__restrict__ sums, int pixels, int channels, int per_group, int run) {
    const Walk at = walk(pixels, channels, run);
    const Real *of_channel = statistics + 2 * ((long long)blockIdx.z * channels + at.c);
    sum_backward(x, dy, of_channel[0], of_channel[1], sums, at, channels);
}

// dx = rstd · (dx̂ − mean(dx̂) − x̂ · mean(dx̂ · x̂)), dx̂ = dy · weight
extern "C" __global__ void __launch_bounds__(512)
group_norm_backward(const T *__restrict__ x, const T *__restrict__ dy, const T *__restrict__ weight,
                    const Real *__restrict__ statistics, Real *sums, T *__restrict__ dx,
                    int pixels, int channels, int per_group, int run) {
    const Walk at = walk(pixels, channels, run);
    const Real *of_channel = statistics + 2 * ((long long)blockIdx.z * channels + at.c);
    const Real mean = of_channel[0], rstd = of_channel[1], scale = (Real)weight[at.c];
    if (gridDim.y == 1) {
        sum_backward(x, dy, mean, rstd, sums, at, channels);
        __syncthreads();
    }
    const Real count = (Real)pixels * per_group;
    const Real mean_product = read_sum(sums, 0, scale, at.c, channels, per_group) / count;
    const Real mean_dxhat = read_sum(sums, 1, scale, at.c, channels, per_group) / count;
    #pragma unroll 4
    for (int p = at.start; p < at.stop; p += ROWS) {
        const long long i = at.first + (long long)p * channels;
        const Real xhat = ((Real)x[i] - mean) * rstd;
        dx[i] = (T)(rstd * ((Real)dy[i] * scale - mean_dxhat - xhat * mean_product));
    }
}
