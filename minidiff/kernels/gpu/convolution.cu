// The windows of a convolution as rows (im2col), and the sum of their gradients in each pixel, between which and the
// weights cuBLAS multiplies. Each pixel of x may count as REPEAT x REPEAT pixels: upsampling costs no pass of its own.
//
// A thread takes one channel of a pixel and walks through all K x K taps, whose places are known to the compiler: it
// divides by nothing that is not. The sum is taken by the pixel that receives it, not by the windows that add to it, and
// so without atomic additions. Where there is no pixel, another is read and not used, so that no read waits for a branch.
// Bytes: `windows` reads x, mostly from a cache, and writes k² repeat² / stride² times as much; `windows_backward`
// the reverse.

// y[n, p, q, a, b, c] = x[n, stride · p + a − top, stride · q + b − left, c], zero outside of x
extern "C" __global__ void __launch_bounds__(256)
windows(const T *__restrict__ x, T *__restrict__ y, int height, int width, int channels, int columns,
        int top, int left) {
    const int p = blockIdx.y, q = blockIdx.x * blockDim.y + threadIdx.y;
    if (q >= columns) return;
    const T *image = x + (long long)blockIdx.z * height * width * channels;
    T *row = y + (((long long)blockIdx.z * gridDim.y + p) * columns + q) * K * K * channels;
    for (int c = threadIdx.x; c < channels; c += blockDim.x) {
        for (int a = 0; a < K; a++) {
            const int h = STRIDE * p + a - top;
            #pragma unroll
            for (int b = 0; b < K; b++) {
                const int w = STRIDE * q + b - left;
                const bool inside = h >= 0 && h < REPEAT * height && w >= 0 && w < REPEAT * width;
                const T value = image[(inside ? ((long long)(h / REPEAT) * width + w / REPEAT) * channels : 0) + c];
                row[(a * K + b) * channels + c] = inside ? value : (T)0;
            }
        }
    }
}

// dx[n, h, w, c] = Σ dwindows[n, p, q, a, b, c] over all windows that read the pixel
extern "C" __global__ void __launch_bounds__(256)
windows_backward(const T *__restrict__ dwindows, T *__restrict__ dx, int rows, int columns, int channels, int width,
                 int top, int left) {
    const int across_x = blockIdx.x * blockDim.y + threadIdx.y;
    if (across_x >= width) return;
    const int h = blockIdx.y * REPEAT + top, w = across_x * REPEAT + left;    // of the first copy, in padded x
    const T *of_image = dwindows + (long long)blockIdx.z * rows * columns * K * K * channels;
    T *pixel = dx + (((long long)blockIdx.z * gridDim.y + blockIdx.y) * width + across_x) * channels;
    for (int c = threadIdx.x; c < channels; c += blockDim.x) {
        Real sum = 0;
        for (int down = 0; down < REPEAT * K; down++) {         // copy down / K, tap down % K
            const int p = h + down / K - down % K;
            #pragma unroll
            for (int across = 0; across < REPEAT * K; across++) {
                const int q = w + across / K - across % K;
                const bool read = p >= 0 && p % STRIDE == 0 && p / STRIDE < rows &&
                                  q >= 0 && q % STRIDE == 0 && q / STRIDE < columns;
                const long long window = (long long)(p / STRIDE) * columns + q / STRIDE;
                const Real value = (Real)of_image[(read ? (window * K + down % K) * K + across % K : 0) * channels + c];
                sum += read ? value : 0;
            }
        }
        pixel[c] = (T)sum;
    }
}
