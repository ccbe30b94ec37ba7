// The gradient of an embedding: row v of dtable is the sum of the rows of dy whose id is v, zero if there is none.
//
// A block takes a token. If it is the first of its id, it adds all rows of that id, in their order: without atomic
// additions, whose order varies, the sum is the same in every run. Bytes: dy once, dtable once, and for each token all
// ids, from a cache.

extern "C" __global__ void __launch_bounds__(256)
embedding_backward(const T *dy, const long long *ids, T *dtable, int tokens, int channels) {
    __shared__ int earlier;
    const int token = blockIdx.x;
    const long long id = ids[token];
    if (threadIdx.x == 0) earlier = 0;
    __syncthreads();
    for (int other = threadIdx.x; other < token; other += blockDim.x)
        if (ids[other] == id) earlier = 1;
    __syncthreads();
    if (earlier) return;
    for (int c = threadIdx.x; c < channels; c += blockDim.x) {
        Real sum = 0;
        for (int other = token; other < tokens; other++)
            if (ids[other] == id) sum += (Real)dy[(long long)other * channels + c];
        dtable[id * channels + c] = (T)sum;
    }
}
