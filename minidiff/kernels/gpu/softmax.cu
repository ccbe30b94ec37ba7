// Softmax along rows: y = exp(x − max) / Σ exp(x − max); a warp takes a row.
// Bytes: forward reads x three times, of which twice from a cache, and writes y; backward reads y and dy and writes dx.

extern "C" __global__ void __launch_bounds__(128)
softmax(const T *x, T *y, int rows, int columns) {
    const int row = blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= rows) return;
    const long long first = (long long)row * columns;
    Real largest = (Real)x[first], sum = 0;
    for (int c = threadIdx.x; c < columns; c += 32)
        if ((Real)x[first + c] > largest) largest = (Real)x[first + c];
    for (int distance = 16; distance > 0; distance /= 2) {
        const Real other = __shfl_xor_sync(0xffffffff, largest, distance);
        if (other > largest) largest = other;
    }
    for (int c = threadIdx.x; c < columns; c += 32) sum += exp((Real)x[first + c] - largest);
    sum = sum_over_warp(sum);
    for (int c = threadIdx.x; c < columns; c += 32) y[first + c] = (T)(exp((Real)x[first + c] - largest) / sum);
}

// dx = y · (dy − Σ y · dy)
extern "C" __global__ void __launch_bounds__(128)
softmax_backward(const T *y, const T *dy, T *dx, int rows, int columns) {
    const int row = blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= rows) return;
    const long long first = (long long)row * columns;
    Real sum = 0;
    for (int c = threadIdx.x; c < columns; c += 32) sum += (Real)y[first + c] * (Real)dy[first + c];
    sum = sum_over_warp(sum);
    for (int c = threadIdx.x; c < columns; c += 32)
        dx[first + c] = (T)((Real)y[first + c] * ((Real)dy[first + c] - sum));
}
