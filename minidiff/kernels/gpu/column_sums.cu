// The sums of columns: y[r, c] = Σ x[row, c] over run r of the rows.
//
// A block takes 32 columns and a run. Each of its 8 rows of threads adds every eighth row of x, eight of them ahead of
// the sum; what they found is added in a fixed order. Bytes: x is read.

extern "C" __global__ void __launch_bounds__(256)
column_sums(const T *__restrict__ x, Real *__restrict__ y, int rows, int columns, int run) {
    __shared__ Real scratch[8][32];
    const int c = blockIdx.x * 32 + threadIdx.x, start = blockIdx.y * run;
    const int stop = start + run < rows ? start + run : rows;
    Real sum = 0;
    if (c < columns) {
        #pragma unroll 8
        for (int row = start + threadIdx.y; row < stop; row += 8) sum += (Real)x[(long long)row * columns + c];
    }
    scratch[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0 || c >= columns) return;
    sum = 0;
    for (int r = 0; r < 8; r++) sum += scratch[r][threadIdx.x];
    y[(long long)blockIdx.y * columns + c] = sum;
}
