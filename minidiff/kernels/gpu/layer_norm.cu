// Layer norm: y = (x − mean) · rstd · weight + bias, mean and variance over the channels of a row.
//
// A warp takes a row. The gradients of weight and bias are sums over rows: a block takes 32 channels and a run of rows.
// Bytes: forward reads x three times, of which twice from a cache, and writes y; backward reads x and dy twice from
// memory and writes dx.

extern "C" __global__ void __launch_bounds__(128)
layer_norm(const T *x, const T *weight, const T *bias, T *y, Real *statistics, int rows, int channels, double eps) {
    const int row = blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= rows) return;
    const long long first = (long long)row * channels;
    Real sum = 0, squares = 0;
    for (int c = threadIdx.x; c < channels; c += 32) sum += (Real)x[first + c];
    const Real mean = sum_over_warp(sum) / channels;
    for (int c = threadIdx.x; c < channels; c += 32) {
        const Real d = (Real)x[first + c] - mean;
        squares += d * d;
    }
    const Real rstd = 1 / sqrt(sum_over_warp(squares) / channels + (Real)eps);
    for (int c = threadIdx.x; c < channels; c += 32)
        y[first + c] = (T)(((Real)x[first + c] - mean) * rstd * (Real)weight[c] + (Real)bias[c]);
    if (threadIdx.x == 0) {
        statistics[2 * row] = mean;
        statistics[2 * row + 1] = rstd;
    }
}

// dx = rstd · (dx̂ − mean(dx̂) − x̂ · mean(dx̂ · x̂)), dx̂ = dy · weight
extern "C" __global__ void __launch_bounds__(128)
layer_norm_dx(const T *x, const T *dy, const T *weight, const Real *statistics, T *dx, int rows, int channels) {
    const int row = blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= rows) return;
    const long long first = (long long)row * channels;
    const Real mean = statistics[2 * row], rstd = statistics[2 * row + 1];
    Real sum = 0, product = 0;
    for (int c = threadIdx.x; c < channels; c += 32) {
        const Real dxhat = (Real)dy[first + c] * (Real)weight[c];
        sum += dxhat;
        product += dxhat * ((Real)x[first + c] - mean) * rstd;
    }
    sum = sum_over_warp(sum) / channels;
    product = sum_over_warp(product) / channels;
    for (int c = threadIdx.x; c < channels; c += 32) {
        const Real xhat = ((Real)x[first + c] - mean) * rstd;
        dx[first + c] = (T)(rstd * ((Real)dy[first + c] * (Real)weight[c] - sum - xhat * product));
    }
}

// dweight = Σ dy · x̂ and dbias = Σ dy over the rows of a run: sums (runs, 2, C).
extern "C" __global__ void __launch_bounds__(256)
layer_norm_sums(const T *x, const T *dy, const Real *statistics, Real *sums, int rows, int channels, int run) {
    __shared__ Real scratch[2][8][32];
    const int c = blockIdx.x * 32 + threadIdx.x, start = blockIdx.y * run;
    const int stop = start + run < rows ? start + run : rows;
    Real dweight = 0, dbias = 0;
    if (c < channels) {
        for (int row = start + threadIdx.y; row < stop; row += 8) {
            const long long i = (long long)row * channels + c;
            dweight += (Real)dy[i] * ((Real)x[i] - statistics[2 * row]) * statistics[2 * row + 1];
            dbias += (Real)dy[i];
        }
    }
    scratch[0][threadIdx.y][threadIdx.x] = dweight;
    scratch[1][threadIdx.y][threadIdx.x] = dbias;
    __syncthreads();
    if (threadIdx.y < 2 && c < channels) {
        Real sum = 0;
        for (int r = 0; r < 8; r++) sum += scratch[threadIdx.y][r][threadIdx.x];
        sums[(2ll * blockIdx.y + threadIdx.y) * channels + c] = sum;
    }
}
