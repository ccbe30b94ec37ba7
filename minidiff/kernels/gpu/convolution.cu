// The windows of a convolution as rows (im2col), and the sum of their gradients in each pixel, between which and the
// weights cuBLAS multiplies. Each pixel of x may count as repeat x repeat pixels: upsampling costs no pass of its own.
//
// A block takes a pixel; its threads walk along the channels. The sum is taken by the pixel that receives it, not by
// the windows that add to it, and so without atomic additions.
// Bytes: `windows` reads x, mostly from a cache, and writes k² repeat² / stride² times as much; `windows_backward`
// the reverse.

// y[n, p, q, a, b, c] = x[n, stride · p + a − top, stride · q + b − left, c], zero outside of x
extern "C" __global__ void __launch_bounds__(256)
windows(const T *x, T *y, int height, int width, int channels, int k, int stride, int top, int left, int repeat) {
    const int p = blockIdx.y, q = blockIdx.x;
    const T *image = x + (long long)blockIdx.z * height * width * channels;
    T *row = y + (((long long)blockIdx.z * gridDim.y + p) * gridDim.x + q) * k * k * channels;
    for (int e = threadIdx.x; e < k * k * channels; e += blockDim.x) {
        const int tap = e / channels, c = e % channels;
        const int h = stride * p + tap / k - top, w = stride * q + tap % k - left;
        const bool inside = h >= 0 && h < repeat * height && w >= 0 && w < repeat * width;
        row[e] = inside ? image[((long long)(h / repeat) * width + w / repeat) * channels + c] : (T)0;
    }
}

// dx[n, h, w, c] = Σ dwindows[n, p, q, a, b, c] over all windows that read the pixel
extern "C" __global__ void __launch_bounds__(256)
windows_backward(const T *dwindows, T *dx, int rows, int columns, int channels,
                 int k, int stride, int top, int left, int repeat) {
    const int h = blockIdx.y * repeat + top, w = blockIdx.x * repeat + left;    // of the first copy, in padded x
    const T *of_image = dwindows + (long long)blockIdx.z * rows * columns * k * k * channels;
    T *pixel = dx + (((long long)blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x) * channels;
    for (int c = threadIdx.x; c < channels; c += blockDim.x) {
        Real sum = 0;
        for (int down = 0; down < repeat * k; down++) {         // copy down / k, tap down % k
            const int p = h + down / k - down % k;
            if (p < 0 || p % stride || p / stride >= rows) continue;
            for (int across = 0; across < repeat * k; across++) {
                const int q = w + across / k - across % k;
                if (q < 0 || q % stride || q / stride >= columns) continue;
                const long long window = (long long)(p / stride) * columns + q / stride;
                sum += (Real)of_image[((window * k + down % k) * k + across % k) * channels + c];
            }
        }
        pixel[c] = (T)sum;
    }
}
