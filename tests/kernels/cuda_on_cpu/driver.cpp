// kernels/chrf.cu as a shared library for the CPU: each kernel a function with its own arguments behind those of the
// launch, which answers with what went wrong, or with an empty string.

#include "cuda_on_cpu.hpp"

#include "chrf.cu"

template <typename Kernel, typename... Arguments>
const char* run(Kernel kernel, int blocks, int threads, u32 shared_bytes, u32 seed, Arguments... arguments) {
    static std::string wrong;
    wrong = cuda_on_cpu::launch(blocks, threads, shared_bytes, seed, [=] { kernel(arguments...); });
    return wrong.c_str();
}

#define MATCHES(NAME, UNIT)                                                                                          \
    extern "C" const char* run_##NAME(                                                                               \
        int blocks, int threads, u32 shared_bytes, u32 seed, const UNIT* hyp, const i64* hyp_offsets, i64 hyp_first, \
        const UNIT* ref, const i64* ref_offsets, i64 ref_first, const u32* white, const u32* punctuation,            \
        const int* picked, int count, int across, int char_order, int word_order, int keep_white, int capacity,      \
        int* matches, int* lengths                                                                                   \
    ) {                                                                                                              \
        return run(                                                                                                  \
            NAME, blocks, threads, shared_bytes, seed, hyp, hyp_offsets, hyp_first, ref, ref_offsets, ref_first,     \
            white, punctuation, picked, count, across, char_order, word_order, keep_white, capacity, matches,        \
            lengths);                                                                                                \
    }

MATCHES(chrf_matches_16, u16)
MATCHES(chrf_matches_32, u32)

extern "C" const char* run_chrf_scores(
    int blocks, int threads, u32 shared_bytes, u32 seed, const int* matches, const int* lengths, i64 count,
    int char_order, int word_order, double factor, double* scores
) {
    return run(
        chrf_scores, blocks, threads, shared_bytes, seed, matches, lengths, count, char_order, word_order, factor,
        scores);
}
