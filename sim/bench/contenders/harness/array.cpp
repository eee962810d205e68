// An emitted bank of one array, driven over its streams without a stall: weights of the next tile
// load while this one runs. Sums over slices of k are added outside, as accumulators do.
//
// ROWS, COLS and PSUM_WIDTH come from the command line of the compiler; m, k and n of the
// matrices fit whole tiles.
#include <cstdlib>

#include "Model.h"
#include "server.h"

// Verilator spells a double underscore by its code.
#define PORT(stream, part) model.stream##___05F##part

constexpr int OPERAND_BITS = 9;  // magnitude, and the sign on top

using Words = std::vector<uint32_t>;  // a payload, least significant word first

static void put_bits(Words& words, size_t first, int count, uint64_t value) {
    for (int bit = 0; bit < count; ++bit) {
        const size_t at = first + bit;
        if (at / 32 >= words.size()) words.resize(at / 32 + 1);
        words[at / 32] |= uint32_t(value >> bit & 1) << (at % 32);
    }
}

static uint64_t operand(int value) { return uint64_t(std::abs(value)) | uint64_t(value < 0) << 8; }

static void drive(IData& port, const Words& words) { port = words[0]; }
static void drive(QData& port, const Words& words) {
    port = words[0] | (words.size() > 1 ? uint64_t(words[1]) << 32 : 0);
}
template <std::size_t N>
static void drive(VlWide<N>& port, const Words& words) {
    for (size_t word = 0; word < words.size(); ++word) port[word] = words[word];
}

static uint32_t word_of(IData port, int) { return port; }
static uint32_t word_of(QData port, int word) { return uint32_t(port >> 32 * word); }
template <std::size_t N>
static uint32_t word_of(const VlWide<N>& port, int word) { return port[word]; }

template <typename Port>
static int32_t psum(const Port& port, int column) {
    const int first = column * PSUM_WIDTH;
    uint64_t bits = word_of(port, first / 32);
    if ((first + PSUM_WIDTH - 1) / 32 != first / 32)
        bits |= uint64_t(word_of(port, first / 32 + 1)) << 32;
    return int32_t(uint32_t(bits >> first % 32) << (32 - PSUM_WIDTH)) >> (32 - PSUM_WIDTH);
}

int main() {
    VerilatedContext context;
    Model model{&context};
    const auto edge = [&] {
        model.clk = 1;
        model.eval();
        model.clk = 0;
    };
    model.clk = PORT(route, valid) = PORT(weights, valid) = PORT(acts, valid) = 0;
    PORT(results, ready) = model.rst = 1;
    for (int cycle = 0; cycle < 2; ++cycle) {
        model.eval();
        edge();
    }
    model.rst = 0;
    PORT(route, payload) = 0;

    std::vector<Words> weight_beats, act_beats;
    const auto prepare = [&](const Matrices& x) {
        for (int column = 0; column < x.n; column += COLS)
            for (int slice = 0; slice < x.k; slice += ROWS) {
                for (int row = ROWS - 1; row >= 0; --row) {
                    Words beat(1);
                    for (int n = 0; n < COLS; ++n)
                        put_bits(beat, n * OPERAND_BITS, OPERAND_BITS,
                                 operand(x.weights[size_t(slice + row) * x.n + column + n]));
                    weight_beats.push_back(beat);
                }
                for (int m = 0; m < x.m; ++m) {
                    Words beat(1);
                    for (int row = 0; row < ROWS; ++row)
                        put_bits(beat, row * OPERAND_BITS, OPERAND_BITS,
                                 operand(x.acts[size_t(m) * x.k + slice + row]));
                    put_bits(beat, ROWS * OPERAND_BITS, 1, m == 0);
                    act_beats.push_back(beat);
                }
            }
    };
    const auto multiply = [&](Matrices& x) {
        const int slices = x.k / ROWS;
        size_t weight = 0, act = 0, result = 0;
        bool routed = false;
        while (result < act_beats.size()) {
            PORT(route, valid) = !routed;
            // The first weights follow the ROUTE that they belong to.
            PORT(weights, valid) = routed && weight < weight_beats.size();
            PORT(acts, valid) = routed && act < act_beats.size();
            if (PORT(weights, valid)) drive(PORT(weights, payload), weight_beats[weight]);
            if (PORT(acts, valid)) drive(PORT(acts, payload), act_beats[act]);
            model.eval();
            weight += PORT(weights, valid) && PORT(weights, ready);
            act += PORT(acts, valid) && PORT(acts, ready);
            routed |= PORT(route, valid) && PORT(route, ready);
            if (PORT(results, valid)) {
                const size_t tile = result / x.m, m = result % x.m;
                int32_t* out = &x.out[m * x.n + tile / slices * COLS];
                for (int n = 0; n < COLS; ++n) out[n] += psum(PORT(results, payload), n);
                ++result;
            }
            edge();
        }
    };
    return serve(prepare, multiply);
}
