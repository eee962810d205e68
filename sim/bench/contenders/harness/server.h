// A matrix product on demand, so that a simulation is started once and timed many times.
//
// stdin: int32 m, k, n; int16 acts[m][k]; int16 weights[k][n]; then one byte per request.
// stdout: int32 out[m][n] for every request. All in the machine's own byte order.
#pragma once

#include <cstdint>
#include <cstdio>
#include <vector>

struct Matrices {
    int32_t m, k, n;
    std::vector<int16_t> acts, weights;
    std::vector<int32_t> out;
};

template <typename T>
static bool read_all(std::vector<T>& values) {
    return std::fread(values.data(), sizeof(T), values.size(), stdin) == values.size();
}

// prepare(matrices) is called once, multiply(matrices) for every request with out set to zero.
template <typename Prepare, typename Multiply>
int serve(Prepare prepare, Multiply multiply) {
    std::vector<int32_t> sizes(3);
    if (!read_all(sizes)) return 1;
    Matrices matrices{sizes[0], sizes[1], sizes[2], {}, {}, {}};
    matrices.acts.resize(size_t(matrices.m) * matrices.k);
    matrices.weights.resize(size_t(matrices.k) * matrices.n);
    if (!read_all(matrices.acts) || !read_all(matrices.weights)) return 1;
    prepare(matrices);
    while (std::getchar() != EOF) {
        matrices.out.assign(size_t(matrices.m) * matrices.n, 0);
        multiply(matrices);
        std::fwrite(matrices.out.data(), sizeof(int32_t), matrices.out.size(), stdout);
        std::fflush(stdout);
    }
    return 0;
}
