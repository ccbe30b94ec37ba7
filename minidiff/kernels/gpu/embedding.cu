// The gradient of an embedding: row v of dtable is the sum of the rows of dy whose id is v, zero if there is none.
//
// A block takes a token and 32 channels. If it is the first of its id, each of its 8 rows of threads adds every eighth
// row of that id, and what they found is added in a fixed order: without atomic additions, whose order varies, the sum
// is the same in every run. Bytes: dy once, dtable once, and for each token all ids, from a cache.

extern "C" __global__ void __launch_bounds__(256)
embedding_backward(const T *__restrict__ dy, const long long *__restrict__ ids, T *__restrict__ dtable,
                   int tokens, int channels) {
    __shared__ int earlier;
    __shared__ Real scratch[8][32];
    const int token = blockIdx.x, c = blockIdx.y * 32 + threadIdx.x, thread = threadIdx.y * 32 + threadIdx.x;
    const long long id = ids[token];
    if (thread == 0) earlier = 0;
    __syncthreads();
    for (int other = thread; other < token; other += 256)
        if (ids[other] == id) earlier = 1;
    __syncthreads();
    if (earlier) return;
    Real sum = 0;
    if (c < channels) {
        #pragma unroll 8
        for (int other = token + threadIdx.y; other < tokens; other += 8)
            if (ids[other] == id) sum += (Real)dy[(long long)other * channels + c];
    }
    scratch[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0 || c >= channels) return;
    sum = 0;
    for (int r = 0; r < 8; r++) sum += scratch[r][threadIdx.x];
    dtable[id * channels + c] = (T)sum;
}
