// AdamW with clipping and a moving average, in one pass: m ← β₁ m + (1 − β₁) s g, v ← β₂ v + (1 − β₂) (s g)²,
// w ← w − lr (m̂ / (√v̂ + ε) + λ w), a ← a + (1 − d) (w − a).
//
// What differs from step to step, s, t, lr and d, is read from the device, so that a recorded graph follows it.
// Bytes: w, m, v and a are read and written, g is read: 36 for each parameter in float32.

extern "C" __global__ void __launch_bounds__(256)
adamw(T *w, const T *g, T *m, T *v, T *average, const T *scale, const double *step, const double *lr,
      const double *decay, int count, double beta1, double beta2, double eps, double weight_decay) {
    __shared__ Real rate, unbias2;
    if (threadIdx.x == 0) {                 // in double: 1 − β₂ᵗ of the first steps has few digits in float
        rate = (Real)(lr[0] / (1 - pow(beta1, step[0])));
        unbias2 = (Real)(1 / (1 - pow(beta2, step[0])));
    }
    __syncthreads();
    const Real s = (Real)scale[0], shrinking = (Real)(lr[0] * weight_decay), fraction = (Real)(1 - decay[0]);
    const long long stride = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += stride) {
        const Real gi = s * (Real)g[i], wi = (Real)w[i], ai = (Real)average[i];
        const Real mi = (Real)beta1 * (Real)m[i] + (Real)(1 - beta1) * gi;
        const Real vi = (Real)beta2 * (Real)v[i] + (Real)(1 - beta2) * gi * gi;
        const Real next = wi - rate * mi / (sqrt(vi * unbias2) + (Real)eps) - shrinking * wi;
        m[i] = (T)mi;
        v[i] = (T)vi;
        w[i] = (T)next;
        average[i] = (T)(ai + fraction * (next - ai));
    }
}
