// Clipped n-gram matches of chrF and chrF++ (Popovic 2015, 2017): one warp scores one pair, all of it in shared memory.
//
// Exact: no n-gram is ever taken for its hash. The slot of a hash table in which a symbol lies is the symbol's name; an
// n-gram is the pair (name of its first n-1 symbols, name of its last), which fits 32 bits whole, so a table of order n
// compares whole n-grams and its slots are the names for order n+1. Any order, any alphabet, astral characters and
// lone surrogates alike. Lanes race for slots, so names differ from run to run; the counts do not.
//
// Every table holds the reference's n-grams with their counts. A hypothesis n-gram is a match if it finds its count
// above 0 and takes one away: exactly min(hypothesis, reference) of them do, whichever lanes they are. Counts may fall
// below 0, which is why a hit is "was above 0 before".
//
// A table has at least twice as many slots as it can get entries, so every search ends at an empty slot.
// No headers and nothing newer than compute capability 7.0: NVRTC compiles this anywhere CuPy runs.

typedef unsigned int u32;
typedef unsigned short u16;
typedef long long i64;

constexpr int LANES = 32;
constexpr u32 ALL = 0xffffffffu;
constexpr u32 ABSENT = 0xffffu;       // the name of what the reference does not have; slots stay below 2^15
constexpr u32 GOLDEN = 2654435769u;   // 2^32 / golden ratio (Knuth, TAOCP 3, 6.4)
constexpr u32 HIGHEST_WHITE = 0x3000u;
constexpr int SMALLEST_BITS = 6;

// A warp's share of shared memory: 24 bytes a unit of capacity, which is a power of two of at least 64 and at most
// 8192. Four-byte arrays come first, so everything is aligned and the tables can be cleared 16 bytes at a time.
struct Space {
    u32* keys;          // 2 * capacity; 0 is an empty slot
    int* counts;        // 2 * capacity
    u16* ref_symbols;   // capacity each
    u16* hyp_symbols;
    u16* ref_names;
    u16* hyp_names;
};

// Of one pair: what it reads and how it reads it.
template <typename Unit>
struct Side {
    const Unit* text;
    int length;
};

struct Classes {
    const u32* white;         // a bit for each code point up to HIGHEST_WHITE, as the running Python has it
    const u32* punctuation;   // a bit for each of ASCII
};

__device__ __forceinline__ Space space_of_warp(u32* shared, int warp, int capacity) {
    u32* start = shared + static_cast<size_t>(warp) * 6 * capacity;
    Space space;
    space.keys = start;
    space.counts = reinterpret_cast<int*>(start + 2 * capacity);
    space.ref_symbols = reinterpret_cast<u16*>(start + 4 * capacity);
    space.hyp_symbols = space.ref_symbols + capacity;
    space.ref_names = space.hyp_symbols + capacity;
    space.hyp_names = space.ref_names + capacity;
    return space;
}

__device__ __forceinline__ bool is_white(const Classes& classes, u32 unit) {
    return unit <= HIGHEST_WHITE && (classes.white[unit >> 5] >> (unit & 31) & 1u);
}

__device__ __forceinline__ bool is_mark(const Classes& classes, u32 unit) {
    return unit < 128 && (classes.punctuation[unit >> 5] >> (unit & 31) & 1u);
}

// Slots for so many entries: four times as many, while the capacity allows; never under twice as many.
__device__ __forceinline__ int bits_for(int entries, int capacity) {
    int bits = SMALLEST_BITS;
    while ((1 << bits) < 4 * entries && (1 << bits) < 2 * capacity) bits++;
    return bits;
}

__device__ __forceinline__ void clear(const Space& space, int bits, int lane) {
    uint4* keys = reinterpret_cast<uint4*>(space.keys);
    uint4* counts = reinterpret_cast<uint4*>(space.counts);
    const uint4 empty = {0u, 0u, 0u, 0u};
    for (int i = lane; i < (1 << bits) / 4; i += LANES) {
        keys[i] = empty;
        counts[i] = empty;
    }
    __syncwarp();
}

__device__ __forceinline__ u32 slot(u32 key, int bits) { return key * GOLDEN >> (32 - bits); }

__device__ __forceinline__ u32 insert(const Space& space, u32 key, int bits) {
    const u32 last = (1u << bits) - 1u;
    u32 at = slot(key, bits);
    for (;;) {
        const u32 before = atomicCAS(&space.keys[at], 0u, key);
        if (before == 0u || before == key) break;
        at = (at + 1u) & last;
    }
    atomicAdd(&space.counts[at], 1);
    return at;
}

// Only after every insertion and a __syncwarp: from then on nobody writes keys.
__device__ __forceinline__ u32 find(const Space& space, u32 key, int bits) {
    const u32 last = (1u << bits) - 1u;
    u32 at = slot(key, bits);
    for (;;) {
        const u32 found = space.keys[at];
        if (found == key) return at;
        if (found == 0u) return ABSENT;
        at = (at + 1u) & last;
    }
}

__device__ __forceinline__ int take(const Space& space, u32 name) {
    return name != ABSENT && atomicSub(&space.counts[name], 1) > 0;
}

// The same sum in every lane, so that what follows from it is the same in every lane too.
__device__ __forceinline__ int sum_of_warp(int value) {
    for (int distance = LANES / 2; distance > 0; distance /= 2) value += __shfl_xor_sync(ALL, value, distance);
    return value;
}

__device__ __forceinline__ int rank_in_warp(u32 votes, int lane) { return __popc(votes & ((1u << lane) - 1u)); }

// Names the symbols of one side and counts those that match; the reference first, which fills the table.
template <typename Unit, bool REFERENCE>
__device__ int read_characters(
    const Side<Unit>& side, const Classes& classes, bool keep_white, const Space& space, int bits, int lane, int* hits
) {
    u16* symbols = REFERENCE ? space.ref_symbols : space.hyp_symbols;
    int kept = 0;
    for (int start = 0; start < side.length; start += LANES) {
        const int at = start + lane;
        u32 unit = 0;
        bool keep = false;
        if (at < side.length) {
            unit = side.text[at];
            keep = keep_white || !is_white(classes, unit);
        }
        const u32 votes = __ballot_sync(ALL, keep);
        if (keep) {
            const u32 name = REFERENCE ? insert(space, unit + 1u, bits) : find(space, unit + 1u, bits);
            if (!REFERENCE) *hits += take(space, name);
            symbols[kept + rank_in_warp(votes, lane)] = static_cast<u16>(name);
        }
        kept += __popc(votes);
    }
    __syncwarp();
    return kept;
}

// Orders 2 and up, from the names of the symbols. Only the lane that owns a position reads or writes its name, so names
// are replaced in place; the symbols, which other lanes read too, stay as they are.
__device__ void match_longer(const Space& space, int refs, int hyps, int order, int capacity, int lane, int* out) {
    const int bits = bits_for(refs, capacity);
    for (int n = 2; n <= order && n <= refs && n <= hyps; n++) {
        const u16* ref_before = n == 2 ? space.ref_symbols : space.ref_names;
        const u16* hyp_before = n == 2 ? space.hyp_symbols : space.hyp_names;
        clear(space, bits, lane);
        for (int i = lane; i < refs - n + 1; i += LANES) {
            const u32 key = (static_cast<u32>(ref_before[i]) << 16 | space.ref_symbols[i + n - 1]) + 1u;
            space.ref_names[i] = static_cast<u16>(insert(space, key, bits));
        }
        __syncwarp();
        int hits = 0;
        for (int i = lane; i < hyps - n + 1; i += LANES) {
            const u32 before = hyp_before[i], symbol = space.hyp_symbols[i + n - 1];
            u32 name = ABSENT;
            if (before != ABSENT && symbol != ABSENT) name = find(space, (before << 16 | symbol) + 1u, bits);
            hits += take(space, name);
            space.hyp_names[i] = static_cast<u16>(name);
        }
        __syncwarp();   // nobody clears the table while another lane still searches it
        hits = sum_of_warp(hits);
        if (lane == 0) out[n - 1] = hits;
        if (hits == 0) return;   // no n-gram in common, so none longer either
    }
}

template <typename Unit>
__device__ void match_characters(
    const Side<Unit>& hyp, const Side<Unit>& ref, const Classes& classes, bool keep_white, const Space& space,
    int order, int capacity, int lane, int* out, int* lengths
) {
    const int bits = bits_for(ref.length, capacity);
    int hits = 0;
    clear(space, bits, lane);
    const int refs = read_characters<Unit, true>(ref, classes, keep_white, space, bits, lane, &hits);
    const int hyps = read_characters<Unit, false>(hyp, classes, keep_white, space, bits, lane, &hits);
    hits = sum_of_warp(hits);
    if (lane == 0) {
        lengths[0] = hyps;
        lengths[1] = refs;
        out[0] = hits;
    }
    if (hits > 0) match_longer(space, refs, hyps, order, capacity, lane, out);
}

// Whether a word begins at this unit, which is not white. Popovic's rule splits one ASCII mark off a word of two or
// more units: its last unit if that is a mark, else its first.
template <typename Unit>
__device__ bool begins_word(const Side<Unit>& side, const Classes& classes, int at) {
    const Unit* text = side.text;
    if (at == 0 || is_white(classes, text[at - 1])) return true;
    const bool ends = at + 1 == side.length || is_white(classes, text[at + 1]);
    if (ends && is_mark(classes, text[at])) return true;
    const bool second = at == 1 || is_white(classes, text[at - 2]);
    if (!second || !is_mark(classes, text[at - 1])) return false;
    int last = at;
    while (last + 1 < side.length && !is_white(classes, text[last + 1])) last++;
    return !is_mark(classes, text[last]);
}

// Where words begin, and how long each is.
template <typename Unit>
__device__ int read_words(const Side<Unit>& side, const Classes& classes, u16* starts, u16* sizes, int lane) {
    int words = 0;
    for (int start = 0; start < side.length; start += LANES) {
        const int at = start + lane;
        const bool begins = at < side.length && !is_white(classes, side.text[at]) && begins_word(side, classes, at);
        const u32 votes = __ballot_sync(ALL, begins);
        if (begins) starts[words + rank_in_warp(votes, lane)] = static_cast<u16>(at);
        words += __popc(votes);
    }
    __syncwarp();
    for (int i = lane; i < words; i += LANES) {
        const int next = i + 1 < words ? starts[i + 1] : side.length;
        int end = starts[i] + 1;
        while (end < next && !is_white(classes, side.text[end])) end++;
        sizes[i] = static_cast<u16>(end - starts[i]);
    }
    __syncwarp();
    return words;
}

// FNV-1a over the units; only says where to look.
template <typename Unit>
__device__ u32 hash_word(const Unit* word, u32 size) {
    u32 hash = 2166136261u;
    for (u32 i = 0; i < size; i++) hash = (hash ^ word[i]) * 16777619u;
    return hash;
}

template <typename Unit>
__device__ bool same_word(const Unit* word, u32 size, const Unit* text, u32 span) {
    if ((span & 0xffffu) != size) return false;
    const Unit* other = text + (span >> 16);
    for (u32 i = 0; i < size; i++)
        if (word[i] != other[i]) return false;
    return true;
}

// Names words as the characters were named. A slot holds where its word lies in the reference (start and size), so a
// word is compared unit by unit with what is there, and its start can be overwritten by its name.
template <typename Unit, bool REFERENCE>
__device__ void name_words(
    const Side<Unit>& side, const Side<Unit>& ref, const Space& space, int words, int bits, int lane, int* hits
) {
    u16* starts = REFERENCE ? space.ref_symbols : space.hyp_symbols;
    const u16* sizes = REFERENCE ? space.ref_names : space.hyp_names;
    const u32 last = (1u << bits) - 1u;
    for (int i = lane; i < words; i += LANES) {
        const u32 size = sizes[i];
        const u32 span = static_cast<u32>(starts[i]) << 16 | size;   // never 0: no word is empty
        const Unit* word = side.text + starts[i];
        u32 at = slot(hash_word(word, size), bits), name = ABSENT;
        for (;;) {
            const u32 found = REFERENCE ? atomicCAS(&space.keys[at], 0u, span) : space.keys[at];
            if (REFERENCE ? found == 0u || same_word(word, size, ref.text, found)
                          : found != 0u && same_word(word, size, ref.text, found)) {
                name = at;
                break;
            }
            if (found == 0u) break;
            at = (at + 1u) & last;
        }
        if (REFERENCE) atomicAdd(&space.counts[name], 1);
        else *hits += take(space, name);
        starts[i] = static_cast<u16>(name);
    }
    __syncwarp();
}

template <typename Unit>
__device__ void match_words(
    const Side<Unit>& hyp, const Side<Unit>& ref, const Classes& classes, const Space& space, int order, int capacity,
    int lane, int* out, int* lengths
) {
    const int refs = read_words(ref, classes, space.ref_symbols, space.ref_names, lane);
    const int hyps = read_words(hyp, classes, space.hyp_symbols, space.hyp_names, lane);
    const int bits = bits_for(refs, capacity);
    int hits = 0;
    clear(space, bits, lane);
    name_words<Unit, true>(ref, ref, space, refs, bits, lane, &hits);
    name_words<Unit, false>(hyp, ref, space, hyps, bits, lane, &hits);
    hits = sum_of_warp(hits);
    if (lane == 0) {
        lengths[2] = hyps;
        lengths[3] = refs;
        out[0] = hits;
    }
    if (hits > 0) match_longer(space, refs, hyps, order, capacity, lane, out);
}

// Of the `count` pairs whose numbers are in `picked`: their matches (order by order) and lengths (characters of the
// hypothesis and of the reference, words of both) into row `pair` of the output, which starts as zeros. Pair p is
// hypothesis p and reference p, or, with `across` references that every hypothesis meets, p / across and p % across.
// No side of a picked pair is longer than `capacity`. Text i of a side is
// units[offsets[i] - first .. offsets[i + 1] - first).
template <typename Unit>
__device__ void match_pairs(
    const Unit* hyp, const i64* hyp_offsets, i64 hyp_first, const Unit* ref, const i64* ref_offsets, i64 ref_first,
    const u32* white, const u32* punctuation, const int* picked, int count, int across, int char_order, int word_order,
    int keep_white, int capacity, int* matches, int* lengths
) {
    extern __shared__ uint4 shared[];   // by its type aligned to 16 bytes
    const int lane = threadIdx.x % LANES, warp = threadIdx.x / LANES, warps = blockDim.x / LANES;
    const Space space = space_of_warp(reinterpret_cast<u32*>(shared), warp, capacity);
    const Classes classes = {white, punctuation};
    const i64 step = static_cast<i64>(gridDim.x) * warps;
    for (i64 turn = static_cast<i64>(blockIdx.x) * warps + warp; turn < count; turn += step) {
        const i64 pair = picked[turn];
        const i64 h = across > 0 ? pair / across : pair, r = across > 0 ? pair % across : pair;
        const i64 h0 = hyp_offsets[h], r0 = ref_offsets[r];
        const Side<Unit> one = {hyp + (h0 - hyp_first), static_cast<int>(hyp_offsets[h + 1] - h0)};
        const Side<Unit> other = {ref + (r0 - ref_first), static_cast<int>(ref_offsets[r + 1] - r0)};
        int* found = matches + pair * (char_order + word_order);
        if (char_order > 0)
            match_characters(
                one, other, classes, keep_white != 0, space, char_order, capacity, lane, found, lengths + 4 * pair);
        __syncwarp();   // the same memory serves the words, and then the next pair
        if (word_order > 0)
            match_words(
                one, other, classes, space, word_order, capacity, lane, found + char_order, lengths + 4 * pair);
        __syncwarp();
    }
}

extern "C" __global__ void chrf_matches_16(
    const u16* hyp, const i64* hyp_offsets, i64 hyp_first, const u16* ref, const i64* ref_offsets, i64 ref_first,
    const u32* white, const u32* punctuation, const int* picked, int count, int across, int char_order, int word_order,
    int keep_white, int capacity, int* matches, int* lengths
) {
    match_pairs<u16>(
        hyp, hyp_offsets, hyp_first, ref, ref_offsets, ref_first, white, punctuation, picked, count, across, char_order,
        word_order, keep_white, capacity, matches, lengths);
}

extern "C" __global__ void chrf_matches_32(
    const u32* hyp, const i64* hyp_offsets, i64 hyp_first, const u32* ref, const i64* ref_offsets, i64 ref_first,
    const u32* white, const u32* punctuation, const int* picked, int count, int across, int char_order, int word_order,
    int keep_white, int capacity, int* matches, int* lengths
) {
    match_pairs<u32>(
        hyp, hyp_offsets, hyp_first, ref, ref_offsets, ref_first, white, punctuation, picked, count, across, char_order,
        word_order, keep_white, capacity, matches, lengths);
}

// chrF of each pair from its matches and lengths, every operation in sacreBLEU's order and rounded by itself: a fused
// multiply-add would change the last bit, and with it which of two references counts.
extern "C" __global__ void chrf_scores(
    const int* matches, const int* lengths, i64 count, int char_order, int word_order, double factor, double* scores
) {
    const int orders = char_order + word_order;
    for (i64 i = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
         i += static_cast<i64>(gridDim.x) * blockDim.x) {
        double precision = 0.0, recall = 0.0;
        int effective = 0;
        for (int order = 0; order < orders; order++) {
            const int* side = lengths + 4 * i + (order < char_order ? 0 : 2);
            const int shorter = order < char_order ? order : order - char_order;
            const int hyps = side[0] - shorter, refs = side[1] - shorter;
            if (hyps <= 0 || refs <= 0) continue;
            const double match = matches[i * orders + order];
            precision = __dadd_rn(precision, __ddiv_rn(match, hyps));
            recall = __dadd_rn(recall, __ddiv_rn(match, refs));
            effective++;
        }
        if (effective > 0) {
            precision = __ddiv_rn(precision, effective);
            recall = __ddiv_rn(recall, effective);
        }
        double score = 0.0;
        if (__dadd_rn(precision, recall) > 0.0) {
            score = __dmul_rn(__dmul_rn(__dadd_rn(1.0, factor), precision), recall);
            score = __ddiv_rn(score, __dadd_rn(__dmul_rn(factor, precision), recall));
            score = __dmul_rn(100.0, score);
        }
        scores[i] = score;
    }
}
