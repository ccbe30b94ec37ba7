// The moving average of parameters: a ← a + (1 − d) (w − a), where d is read from the device.
// Bytes: a is read and written, w is read: 12 for each parameter in float32.

extern "C" __global__ void __launch_bounds__(256)
follow(T *average, const T *w, const double *decay, int count) {
    const Real fraction = (Real)(1 - decay[0]);
    const long long stride = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += stride)
        average[i] = (T)((Real)average[i] + fraction * ((Real)w[i] - (Real)average[i]));
}
