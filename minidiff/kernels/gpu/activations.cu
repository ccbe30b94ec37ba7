// SiLU, quick GELU, GELU and GEGLU: a thread for each element of y. Backward computes everything from x again.
// Bytes: forward reads x and writes y, backward reads x and dy and writes dx.

__device__ unsigned element() {                     // of 32 bits: to divide 64 takes a subroutine
    return blockIdx.x * blockDim.x + threadIdx.x;
}

__device__ Real sigmoid(Real x) {
    return (Real)0.5 * (1 + tanh((Real)0.5 * x));
}

// Φ(x) = (1 + erf(x / √2)) / 2
__device__ Real normal_cdf(Real x) {
    return (Real)0.5 * (1 + erf(x * (Real)0.70710678118654752));
}

// d(x Φ(x)) / dx = Φ(x) + x φ(x), φ the standard normal density.
__device__ Real gelu_derivative(Real x) {
    return normal_cdf(x) + x * exp((Real)-0.5 * x * x) * (Real)0.39894228040143268;
}

// y = x · sigmoid(slope · x)
extern "C" __global__ void swish(const T *x, T *y, int count, double slope) {
    const unsigned i = element();
    if (i < count) y[i] = (T)((Real)x[i] * sigmoid((Real)slope * (Real)x[i]));
}

extern "C" __global__ void swish_backward(const T *x, const T *dy, T *dx, int count, double slope) {
    const unsigned i = element();
    if (i >= count) return;
    const Real h = (Real)slope * (Real)x[i], s = sigmoid(h);
    dx[i] = (T)((Real)dy[i] * s * (1 + h * (1 - s)));
}

// y = x · Φ(x)
extern "C" __global__ void gelu(const T *x, T *y, int count) {
    const unsigned i = element();
    if (i < count) y[i] = (T)((Real)x[i] * normal_cdf((Real)x[i]));
}

extern "C" __global__ void gelu_backward(const T *x, const T *dy, T *dx, int count) {
    const unsigned i = element();
    if (i < count) dx[i] = (T)((Real)dy[i] * gelu_derivative((Real)x[i]));
}

// y = value · gelu(gate), where a row of x is `channels` values, then as many gates.
extern "C" __global__ void geglu(const T *x, T *y, int count, int channels) {
    const unsigned i = element();
    if (i >= count) return;
    const long long value = (long long)i + i / channels * channels;
    const Real gate = (Real)x[value + channels];
    y[i] = (T)((Real)x[value] * gate * normal_cdf(gate));
}

extern "C" __global__ void geglu_backward(const T *x, const T *dy, T *dx, int count, int channels) {
    const unsigned i = element();
    if (i >= count) return;
    const long long value = (long long)i + i / channels * channels;
    const Real gate = (Real)x[value + channels];
    dx[value] = (T)((Real)dy[i] * gate * normal_cdf(gate));
    dx[value + channels] = (T)((Real)dy[i] * (Real)x[value] * gelu_derivative(gate));
}
