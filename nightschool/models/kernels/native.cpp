// The small operations of a decoder layer on bfloat16, each in one pass (torch takes five to ten for each, and one
// product for each row's attention). All compute in float. Compiled by native.py; uses no Python API.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>
#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

using bf16 = uint16_t;
// Elements from which a second thread pays off; products need four times as many. An estimate, not measured.
static const int64_t PARALLEL = 1 << 15;

static inline float to_float(bf16 x) {
    uint32_t bits = uint32_t(x) << 16;
    float out;
    std::memcpy(&out, &bits, 4);
    return out;
}

static inline bf16 to_bf16(float x) {  // to the nearest, ties to even
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    return bf16((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// e^x with a relative error of 2e-7: 2^n times the Taylor series of e^r, where |r| <= ln(2) / 2.
static inline float exponential(float x) {
    x = std::min(std::max(x, -87.0f), 88.0f);
    float n = std::rint(x * 1.44269504f);
    float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1 + r * (1 + r * (0.5f + r * (1.6666667e-1f + r * (4.1666667e-2f + r * (8.333333e-3f + r * 1.388889e-3f)))));
    int32_t bits = (int32_t(n) + 127) << 23;
    float power;
    std::memcpy(&power, &bits, 4);
    return p * power;
}

// Sixteen numbers at once: GCC and Clang compile them to the processor's own vectors.
typedef float lanes __attribute__((vector_size(64)));
typedef float half_lanes __attribute__((vector_size(32)));
typedef float quarter_lanes __attribute__((vector_size(16)));
typedef uint32_t words __attribute__((vector_size(64)));
typedef bf16 half_words __attribute__((vector_size(32)));

static inline lanes to_float_lanes(const bf16 *x) {
    half_words halves;
    std::memcpy(&halves, x, sizeof halves);
    words bits = __builtin_convertvector(halves, words) << 16;
    lanes out;
    std::memcpy(&out, &bits, sizeof out);
    return out;
}

static inline void to_bf16_lanes(lanes x, bf16 *out) {
#ifdef __AVX512BF16__
    __m256bh narrowed = _mm512_cvtneps_pbh(x);
    std::memcpy(out, &narrowed, sizeof narrowed);
#else
    for (int i = 0; i < 16; i++) out[i] = to_bf16(x[i]);
#endif
}

static inline float sum_of(lanes x) {
    half_lanes eight = __builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7) +
                       __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15);
    quarter_lanes four = __builtin_shufflevector(eight, eight, 0, 1, 2, 3) +
                         __builtin_shufflevector(eight, eight, 4, 5, 6, 7);
    return (four[0] + four[2]) + (four[1] + four[3]);
}

// Weights in blocks of 32 outputs: for every two inputs, both weights of the first output, of the second, and so on.
// So sixteen outputs are summed side by side, and memory is read from front to back.
static const int BLOCK = 32;

#ifdef __AVX512BF16__
typedef __m512bh pairs;  // two weights of sixteen outputs each
static inline pairs pairs_at(const bf16 *w) { return (pairs)_mm512_loadu_si512(w); }
static inline lanes add_products(lanes sums, uint32_t two, pairs weights) {
    return _mm512_dpbf16_ps(sums, (pairs)_mm512_set1_epi32(two), weights);
}
#else
typedef words pairs;
static inline pairs pairs_at(const bf16 *w) {
    pairs out;
    std::memcpy(&out, w, sizeof out);
    return out;
}
static inline lanes add_products(lanes sums, uint32_t two, pairs weights) {
    words bits = weights << 16, more = weights & 0xffff0000;
    lanes first, second;
    std::memcpy(&first, &bits, sizeof first);
    std::memcpy(&second, &more, sizeof second);
    return sums + to_float(two & 0xffff) * first + to_float(two >> 16) * second;
}
#endif

// ROWS rows of x [inner], `step` elements apart, times a block: its first sixteen outputs, and the others.
template <int ROWS>
static inline __attribute__((always_inline)) void multiply(const bf16 *x, int64_t step, const bf16 *w, int64_t inner,
                                                           lanes *low_out, lanes *high_out) {
    lanes low[ROWS] = {}, high[ROWS] = {};
    for (int64_t i = 0; i < inner; i += 2) {
        pairs first = pairs_at(w + i * BLOCK), second = pairs_at(w + i * BLOCK + BLOCK);
        for (int r = 0; r < ROWS; r++) {
            uint32_t two;
            std::memcpy(&two, x + r * step + i, sizeof two);
            low[r] = add_products(low[r], two, first);
            high[r] = add_products(high[r], two, second);
        }
    }
    for (int r = 0; r < ROWS; r++) low_out[r] = low[r], high_out[r] = high[r];
}

// The first `outs` outputs of a block for ROWS rows of x; rows of out are `width` apart.
template <int ROWS>
static void products(const bf16 *x, const bf16 *w, bf16 *out, int64_t inner, int64_t width, int64_t outs) {
    lanes low[ROWS], high[ROWS];
    multiply<ROWS>(x, inner, w, inner, low, high);
    for (int r = 0; r < ROWS; r++) {
        bf16 line[BLOCK];
        to_bf16_lanes(low[r], line), to_bf16_lanes(high[r], line + 16);
        std::memcpy(out + r * width, line, outs * sizeof(bf16));
    }
}

typedef void (*Products)(const bf16 *, const bf16 *, bf16 *, int64_t, int64_t, int64_t);
static const Products PRODUCTS[] = {nullptr,     products<1>, products<2>, products<3>, products<4>,
                                    products<5>, products<6>, products<7>, products<8>};

// Attention of QUERIES queries over `count` keys, with `score` [QUERIES, count] as scratch space. Sizes known
// at compile time stay in registers.
template <int WIDTH, int QUERIES>
static void attend_some(const bf16 *queries, const bf16 *keys, const bf16 *values, bf16 *out, int64_t count,
                        float *score) {
    const int parts = WIDTH / 16;
    const float scale = 1 / std::sqrt(float(WIDTH));
    lanes query[QUERIES][parts], sum[QUERIES][parts] = {};
    for (int q = 0; q < QUERIES; q++)
        for (int i = 0; i < parts; i++) query[q][i] = to_float_lanes(queries + q * WIDTH + 16 * i) * scale;
    for (int64_t j = 0; j < count; j++) {
        lanes dot[QUERIES] = {};
        for (int i = 0; i < parts; i++) {
            lanes key = to_float_lanes(keys + j * WIDTH + 16 * i);
            for (int q = 0; q < QUERIES; q++) dot[q] += query[q][i] * key;
        }
        for (int q = 0; q < QUERIES; q++) score[q * count + j] = sum_of(dot[q]);
    }
    for (int q = 0; q < QUERIES; q++) {
        float *s = score + q * count, most = s[0], total = 0;
#pragma omp simd reduction(max : most)
        for (int64_t j = 0; j < count; j++) most = std::max(most, s[j]);
#pragma omp simd reduction(+ : total)
        for (int64_t j = 0; j < count; j++) total += s[j] = exponential(s[j] - most);
#pragma omp simd
        for (int64_t j = 0; j < count; j++) s[j] /= total;
    }
    for (int64_t j = 0; j < count; j++)
        for (int i = 0; i < parts; i++) {
            lanes value = to_float_lanes(values + j * WIDTH + 16 * i);
            for (int q = 0; q < QUERIES; q++) sum[q][i] += value * score[q * count + j];
        }
    for (int q = 0; q < QUERIES; q++)
        for (int i = 0; i < parts; i++) to_bf16_lanes(sum[q][i], out + q * WIDTH + 16 * i);
}

// The same for any number of queries.
template <int WIDTH>
static void attend_all(const bf16 *queries, const bf16 *keys, const bf16 *values, bf16 *out, int64_t count,
                       int64_t each) {
    const int most = WIDTH == 64 ? 3 : 2;  // as many queries as fit into 32 registers
    std::vector<float> score(most * count);
    for (; each >= most; each -= most, queries += most * WIDTH, out += most * WIDTH)
        attend_some<WIDTH, most>(queries, keys, values, out, count, score.data());
    for (; each; each--, queries += WIDTH, out += WIDTH)
        attend_some<WIDTH, 1>(queries, keys, values, out, count, score.data());
}

// 2^x for x <= 0 with a relative error of 8e-5 (bfloat16's own is 4e-3). Adding 1.5 * 2^23 rounds to the nearest
// integer and leaves it in the lowest bits.
static inline lanes power_of_two(lanes x) {
    x = x > -126.0f ? x : lanes{} - 126.0f;
    lanes shifted = x + 12582912.0f;
    lanes r = x - (shifted - 12582912.0f);
    lanes p = 0.99992808f + r * (0.69326106f + r * (0.24261109f + r * 0.05517129f));
    words bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 127) << 23;
    lanes power;
    std::memcpy(&power, &bits, sizeof power);
    return p * power;
}

static const int TILE = 256;   // keys between two updates of the sums; other sizes were not recorded
static const int ABREAST = 8;  // queries multiplied by a block of keys at once: their sums fill 16 of 32 registers

// Keys and values [count, WIDTH] of a tile as weights in blocks: keys as outputs, values as inputs. Padded with zeros.
template <int WIDTH>
static void pack_tile(const bf16 *keys, const bf16 *values, int64_t count, bf16 *packed) {
    if (count < TILE) std::fill(packed, packed + 2 * TILE * WIDTH, bf16(0));
    for (int64_t j = 0; j < count; j++)
        for (int i = 0; i < WIDTH; i += 2)
            std::memcpy(packed + (j / BLOCK * WIDTH + i) * BLOCK + j % BLOCK * 2, keys + j * WIDTH + i, 2 * sizeof(bf16));
    packed += TILE * WIDTH;
    for (int64_t j = 0; j < count; j += 2)
        for (int o = 0; o < WIDTH; o += BLOCK) {
            const bf16 *value = values + j * WIDTH + o, *next = value + WIDTH;
            uint32_t both[BLOCK];
            for (int i = 0; i < BLOCK; i++) both[i] = value[i] | (j + 1 < count ? uint32_t(next[i]) << 16 : 0);
            std::memcpy(packed + o * TILE + j * BLOCK, both, sizeof both);
        }
}

// Attention of ABREAST queries, one behind the other, over `count` keys in packed tiles, and the log-sum-exps of their
// scores. Tile by tile, the sums so far are scaled to the largest score so far (FlashAttention, arXiv 2205.14135,
// algorithm 1).
template <int WIDTH>
static void attend_tiles(const bf16 *queries, const bf16 *tiles, int64_t count, bf16 *out, float *logs) {
    const float scale = 1.44269504f / std::sqrt(float(WIDTH));  // scores as powers of two
    lanes sum[ABREAST][WIDTH / 16] = {}, score[ABREAST][TILE / 16], low[ABREAST], high[ABREAST];
    float most[ABREAST], total[ABREAST] = {};
    bf16 share[ABREAST][TILE];
    std::fill(most, most + ABREAST, -INFINITY);
    for (int64_t start = 0; start < count; start += TILE, tiles += 2 * TILE * WIDTH) {
        for (int j = 0; j < TILE; j += BLOCK) {
            multiply<ABREAST>(queries, WIDTH, tiles + j * WIDTH, WIDTH, low, high);
            for (int q = 0; q < ABREAST; q++) score[q][j / 16] = low[q], score[q][j / 16 + 1] = high[q];
        }
        for (int q = 0; q < ABREAST; q++) {
            for (int64_t j = count - start; j < TILE; j++) score[q][j / 16][j % 16] = -INFINITY;
            lanes tops = score[q][0], added = {};
            for (lanes one : score[q]) tops = one > tops ? one : tops;
            float top = most[q];
            for (int i = 0; i < 16; i++) top = std::max(top, tops[i] * scale);
            for (int j = 0; j < TILE; j += 16) {
                lanes one = power_of_two(score[q][j / 16] * scale - top);
                added += one;
                to_bf16_lanes(one, share[q] + j);
            }
            const float keep = std::exp2(most[q] - top);
            total[q] = total[q] * keep + sum_of(added);
            most[q] = top;
            for (lanes &one : sum[q]) one *= keep;
        }
        for (int o = 0; o < WIDTH; o += BLOCK) {
            multiply<ABREAST>(share[0], TILE, tiles + TILE * WIDTH + o * TILE, TILE, low, high);
            for (int q = 0; q < ABREAST; q++) sum[q][o / 16] += low[q], sum[q][o / 16 + 1] += high[q];
        }
    }
    for (int q = 0; q < ABREAST; q++) {
        for (int i = 0; i < WIDTH; i += 16) to_bf16_lanes(sum[q][i / 16] / total[q], out + q * WIDTH + i);
        logs[q] = (most[q] + std::log2(total[q])) * 0.693147181f;
    }
}

// The same for all tokens of a row. A token's queries are [groups, each, WIDTH]; tokens are `step` elements apart.
template <int WIDTH>
static void attend_past(const bf16 *q, int64_t step, const bf16 *keys, const bf16 *values, int64_t apart, bf16 *out,
                        float *logs, int64_t tokens, int64_t groups, int64_t each, int64_t count) {
    const int64_t tiles = (count + TILE - 1) / TILE, size = 2 * TILE * WIDTH, queries = tokens * each;
    static thread_local std::vector<bf16> scratch;  // reused: fresh pages take longer to get than to fill
    if (scratch.size() < size_t(groups * tiles * size)) scratch.resize(groups * tiles * size);
    bf16 *const packed = scratch.data();
#pragma omp parallel
    {
#pragma omp for
        for (int64_t one = 0; one < groups * tiles; one++) {
            const int64_t from = one / tiles * apart + one % tiles * TILE * WIDTH;
            pack_tile<WIDTH>(keys + from, values + from, std::min<int64_t>(TILE, count - one % tiles * TILE),
                             packed + one * size);
        }
#pragma omp for schedule(dynamic) collapse(2)
        for (int64_t group = 0; group < groups; group++)
            for (int64_t first = 0; first < queries; first += ABREAST) {
                bf16 query[ABREAST * WIDTH] = {}, seen[ABREAST * WIDTH];
                float log[ABREAST];
                const int64_t some = std::min<int64_t>(ABREAST, queries - first);
                for (int64_t i = 0; i < some; i++) {
                    const int64_t token = (first + i) / each, head = group * each + (first + i) % each;
                    std::memcpy(query + i * WIDTH, q + token * step + head * WIDTH, WIDTH * sizeof(bf16));
                }
                attend_tiles<WIDTH>(query, packed + group * tiles * size, count, seen, log);
                for (int64_t i = 0; i < some; i++) {
                    const int64_t token = (first + i) / each, head = group * each + (first + i) % each;
                    const int64_t at = token * groups * each + head;
                    std::memcpy(out + at * WIDTH, seen + i * WIDTH, WIDTH * sizeof(bf16));
                    logs[at] = log[i];
                }
            }
    }
}

extern "C" {

// out = x / root mean square of its row * weight
void rms_norm(const bf16 *x, const bf16 *weight, bf16 *out, int64_t rows, int64_t width, float eps) {
#pragma omp parallel for if (rows * width > PARALLEL)
    for (int64_t row = 0; row < rows; row++) {
        const bf16 *in = x + row * width;
        float squares = 0;
#pragma omp simd reduction(+ : squares)
        for (int64_t i = 0; i < width; i++) squares += to_float(in[i]) * to_float(in[i]);
        float inverse = 1 / std::sqrt(squares / width + eps);
#pragma omp simd
        for (int64_t i = 0; i < width; i++)
            out[row * width + i] = to_bf16(to_float(in[i]) * inverse * to_float(weight[i]));
    }
}

// Rotates the first `heads` heads of each row to its position, in place; rows are `step` elements apart. `sin` carries
// its sign: the result is x * cos + (halves swapped) * sin.
void rotate(bf16 *x, int64_t step, const bf16 *cos, const bf16 *sin, int64_t rows, int64_t heads, int64_t width) {
    const int64_t half = width / 2;
#pragma omp parallel for if (rows * heads * width > PARALLEL)
    for (int64_t row = 0; row < rows; row++) {
        const bf16 *c = cos + row * width, *s = sin + row * width;
        for (int64_t head = 0; head < heads; head++) {
            bf16 *low = x + row * step + head * width, *high = low + half;
#pragma omp simd
            for (int64_t i = 0; i < half; i++) {
                float a = to_float(low[i]), b = to_float(high[i]);
                low[i] = to_bf16(a * to_float(c[i]) + b * to_float(s[i]));
                high[i] = to_bf16(b * to_float(c[half + i]) + a * to_float(s[half + i]));
            }
        }
    }
}

// out[row] = silu(first half of x[row]) * second half
void gated_silu(const bf16 *x, bf16 *out, int64_t rows, int64_t width) {
#pragma omp parallel for if (rows * width > PARALLEL)
    for (int64_t row = 0; row < rows; row++) {
        const bf16 *gate = x + row * 2 * width, *up = gate + width;
#pragma omp simd
        for (int64_t i = 0; i < width; i++) {
            float g = to_float(gate[i]);
            out[row * width + i] = to_bf16(g / (1 + exponential(-g)) * to_float(up[i]));
        }
    }
}

// out [rows, width] = x [rows, inner] times weights in blocks, as described above.
void product(const bf16 *x, const bf16 *w, bf16 *out, int64_t rows, int64_t inner, int64_t width) {
    const int64_t blocks = (width + BLOCK - 1) / BLOCK;
#pragma omp parallel for schedule(static) if (rows * inner * width > 4 * PARALLEL)
    for (int64_t block = 0; block < blocks; block++)
        for (int64_t row = 0; row < rows; row += 8)
            PRODUCTS[std::min<int64_t>(8, rows - row)](x + row * inner, w + block * BLOCK * inner,
                                                       out + row * width + block * BLOCK, inner, width,
                                                       std::min<int64_t>(BLOCK, width - block * BLOCK));
}

// The index of each row's first largest element, and log(sum(exp(row))).
void argmax_logsumexp(const bf16 *x, int64_t *index, float *total, int64_t rows, int64_t width) {
#pragma omp parallel for if (rows * width > PARALLEL)
    for (int64_t row = 0; row < rows; row++) {
        const bf16 *in = x + row * width;
        float most = to_float(in[0]), sum = 0;
#pragma omp simd reduction(max : most)
        for (int64_t i = 0; i < width; i++) most = std::max(most, to_float(in[i]));
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < width; i++) sum += exponential(to_float(in[i]) - most);
        index[row] = std::find_if(in, in + width, [=](bf16 one) { return to_float(one) == most; }) - in;
        total[row] = most + std::log(sum);
    }
}

// One new token a row: writes its keys and values at `at[row]` of its slot in the cache, then attends to all positions
// up to there. A row of q is [groups, each, width], of k and v [groups, width]; rows are `step` elements apart. A slot of
// the cache holds the keys of all groups, then their values, each [room, width]. The `each` queries of a group share
// its keys. The width is 64 or 128.
void attend(const bf16 *q, int64_t q_step, const bf16 *k, int64_t k_step, const bf16 *v, int64_t v_step, bf16 *cache,
            int64_t room, const int64_t *at, bf16 *out, int64_t rows, int64_t groups, int64_t each, int64_t width) {
    int64_t seen = 0;
    for (int64_t row = 0; row < rows; row++) seen += at[row] + 1;
#pragma omp parallel for schedule(dynamic) if (seen * groups * each * width > PARALLEL)
    for (int64_t one = 0; one < rows * groups; one++) {
        const int64_t row = one / groups, group = one % groups, last = at[row], count = last + 1;
        const bf16 *queries = q + row * q_step + group * each * width;
        const bf16 *key = k + row * k_step + group * width, *value = v + row * v_step + group * width;
        bf16 *keys = cache + (row * 2 * groups + group) * room * width, *values = keys + groups * room * width;
        std::memcpy(keys + last * width, key, width * sizeof(bf16));
        std::memcpy(values + last * width, value, width * sizeof(bf16));

        bf16 *to = out + (row * groups + group) * each * width;
        if (width == 64)
            attend_all<64>(queries, keys, values, to, count, each);
        else
            attend_all<128>(queries, keys, values, to, count, each);
    }
}

// Attention of a row's tokens to `count` keys and values that precede all of them, [groups, count, width] with groups
// `apart` elements apart: out [tokens, groups * each, width], and the log-sum-exp of each query's scores. The width is
// 64 or 128.
void attend_prefix(const bf16 *q, int64_t step, const bf16 *keys, const bf16 *values, int64_t apart, bf16 *out,
                   float *logs, int64_t tokens, int64_t groups, int64_t each, int64_t width, int64_t count) {
    if (width == 64)
        attend_past<64>(q, step, keys, values, apart, out, logs, tokens, groups, each, count);
    else
        attend_past<128>(q, step, keys, values, apart, out, logs, tokens, groups, each, count);
}
}
