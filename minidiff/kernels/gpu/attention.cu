// Attention that stores no scores: each query walks along the keys and keeps the sum of its weights so far, rescaled
// whenever a larger score comes (Milakov & Gimelshein 2018; Dao et al. 2022, algorithm 1). Backward computes the weights
// again from the logarithm of that sum, p = exp(score − logsum):
//
//     dv = Σ pᵀ dy,  dscore = p (dy vᵀ − δ),  δ = Σ dy · y,  dq = scale · dscore k,  dk = scale · dscoreᵀ q
//
// A row of q, k or v is held by LANES neighbouring threads, W elements of it each: element e by thread e % LANES.
// A block holds blockDim.y rows of one head, and reads the rows of the other side TILE by TILE into shared memory.
// __launch_bounds__(128, 1) lets a thread have the registers it needs; aiming at more blocks, the compiler spills some.
// Bytes: q and y once, k and v once for each block of queries, which is mostly from the L2 cache.

#define W ((E + LANES - 1) / LANES)
#define NEVER ((Real)-1e30)                 // the score of a key that a causal query may not see

typedef Real Tile[TILE][W * LANES];

// Where the row of a token begins in an array (N, tokens, heads, E).
__device__ long long row_start(int token, int tokens, int heads) {
    return (((long long)blockIdx.z * tokens + token) * heads + blockIdx.y) * E;
}

__device__ void read_row(Real *row, const T *x, int token, int tokens, int heads) {
    for (int w = 0; w < W; w++) {
        const int e = w * LANES + threadIdx.x;
        row[w] = token < tokens && e < E ? (Real)x[row_start(token, tokens, heads) + e] : 0;
    }
}

__device__ void write_row(T *x, const Real *row, Real factor, int token, int tokens, int heads) {
    for (int w = 0; w < W; w++) {
        const int e = w * LANES + threadIdx.x;
        if (token < tokens && e < E) x[row_start(token, tokens, heads) + e] = (T)(row[w] * factor);
    }
}

// All threads of the block read the rows from `first` on, with zeros after the last.
__device__ void read_tile(Tile tile, const T *x, int first, int tokens, int heads) {
    for (int t = threadIdx.y; t < TILE; t += blockDim.y) {
        Real row[W];
        read_row(row, x, first + t, tokens, heads);
        for (int w = 0; w < W; w++) tile[t][w * LANES + threadIdx.x] = row[w];
    }
}

__device__ Real dot(const Real *row, const Real *other) {
    Real sum = 0;
    for (int w = 0; w < W; w++) sum += row[w] * other[w * LANES + threadIdx.x];
    for (int distance = LANES / 2; distance > 0; distance /= 2) sum += __shfl_xor_sync(0xffffffff, sum, distance);
    return sum;
}

extern "C" __global__ void __launch_bounds__(128, 1)
attention(const T *q, const T *k, const T *v, T *y, Real *logsums,
          int queries, int keys, int heads, int causal, double scale) {
    __shared__ Tile k_tile, v_tile;
    const int query = blockIdx.x * blockDim.y + threadIdx.y;
    Real q_row[W], y_row[W] = {}, largest = NEVER, sum = 0;
    read_row(q_row, q, query, queries, heads);
    for (int first = 0; first < keys; first += TILE) {
        __syncthreads();
        read_tile(k_tile, k, first, keys, heads);
        read_tile(v_tile, v, first, keys, heads);
        __syncthreads();
        for (int t = 0; t < TILE && first + t < keys; t++) {
            const Real product = dot(q_row, k_tile[t]) * (Real)scale;
            const Real score = causal && first + t > query ? NEVER : product;
            if (score > largest) {
                const Real shrink = exp(largest - score);
                largest = score;
                sum *= shrink;
                for (int w = 0; w < W; w++) y_row[w] *= shrink;
            }
            const Real weight = exp(score - largest);
            sum += weight;
            for (int w = 0; w < W; w++) y_row[w] += weight * v_tile[t][w * LANES + threadIdx.x];
        }
    }
    write_row(y, y_row, 1 / sum, query, queries, heads);
    if (query < queries && threadIdx.x == 0)
        logsums[((long long)blockIdx.z * heads + blockIdx.y) * queries + query] = largest + log(sum);
}

extern "C" __global__ void __launch_bounds__(128, 1)
attention_dq(const T *q, const T *k, const T *v, const T *y, const T *dy, const Real *logsums, Real *deltas, T *dq,
             int queries, int keys, int heads, int causal, double scale) {
    __shared__ Tile k_tile, v_tile;
    const int query = blockIdx.x * blockDim.y + threadIdx.y;
    const long long of_query = ((long long)blockIdx.z * heads + blockIdx.y) * queries + query;
    Real q_row[W], dy_row[W], dq_row[W], delta = 0;
    read_row(q_row, q, query, queries, heads);
    read_row(dy_row, dy, query, queries, heads);
    read_row(dq_row, y, query, queries, heads);
    for (int w = 0; w < W; w++) {
        delta += dy_row[w] * dq_row[w];
        dq_row[w] = 0;
    }
    for (int distance = LANES / 2; distance > 0; distance /= 2) delta += __shfl_xor_sync(0xffffffff, delta, distance);
    const Real logsum = query < queries ? logsums[of_query] : 0;
    if (query < queries && threadIdx.x == 0) deltas[of_query] = delta;
    for (int first = 0; first < keys; first += TILE) {
        __syncthreads();
        read_tile(k_tile, k, first, keys, heads);
        read_tile(v_tile, v, first, keys, heads);
        __syncthreads();
        for (int t = 0; t < TILE && first + t < keys; t++) {
            const Real product = dot(q_row, k_tile[t]) * (Real)scale, dweight = dot(dy_row, v_tile[t]);
            const Real weight = causal && first + t > query ? 0 : exp(product - logsum);
            const Real dscore = weight * (dweight - delta);
            for (int w = 0; w < W; w++) dq_row[w] += dscore * k_tile[t][w * LANES + threadIdx.x];
        }
    }
    write_row(dq, dq_row, (Real)scale, query, queries, heads);
}

extern "C" __global__ void __launch_bounds__(128, 1)
attention_dk_dv(const T *q, const T *k, const T *v, const T *dy, const Real *logsums, const Real *deltas, T *dk, T *dv,
                int queries, int keys, int heads, int causal, double scale) {
    __shared__ Tile q_tile, dy_tile;
    const int key = blockIdx.x * blockDim.y + threadIdx.y;
    const long long of_head = ((long long)blockIdx.z * heads + blockIdx.y) * queries;
    Real k_row[W], v_row[W], dk_row[W] = {}, dv_row[W] = {};
    read_row(k_row, k, key, keys, heads);
    read_row(v_row, v, key, keys, heads);
    for (int first = 0; first < queries; first += TILE) {
        __syncthreads();
        read_tile(q_tile, q, first, queries, heads);
        read_tile(dy_tile, dy, first, queries, heads);
        __syncthreads();
        for (int t = 0; t < TILE && first + t < queries; t++) {
            const Real product = dot(k_row, q_tile[t]) * (Real)scale, dweight = dot(v_row, dy_tile[t]);
            const Real weight = causal && key > first + t ? 0 : exp(product - logsums[of_head + first + t]);
            const Real dscore = weight * (dweight - deltas[of_head + first + t]);
            for (int w = 0; w < W; w++) {
                dv_row[w] += weight * dy_tile[t][w * LANES + threadIdx.x];
                dk_row[w] += dscore * q_tile[t][w * LANES + threadIdx.x];
            }
        }
    }
    write_row(dk, dk_row, (Real)scale, key, keys, heads);
    write_row(dv, dv_row, 1, key, keys, heads);
}
