// Streams tiles through one of several banks, as a shared library; random_banks.py builds the top.
#include <cstdint>
#include <cstring>
#include <memory>

#include "Model.h"

namespace {

// xorshift64*: which streams wait in a cycle, and what they show then.
struct Random {
    uint64_t state;
    uint64_t next() {
        state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
        return state * 0x2545F4914F6CDD1DULL;
    }
    bool below(int chance_of_256) { return int(next() >> 56) < chance_of_256; }
};

struct Simulation {
    VerilatedContext context;
    Model model{&context};

    explicit Simulation(uint64_t seed) {
        context.randReset(2);  // what is not reset starts at random
        context.randSeed(int(seed % 0x7FFFFFFF) + 1);
    }

    void edge() {
        model.eval();
        model.clk = 1;
        model.eval();
        model.clk = 0;
    }

    void reset(int bank) {
        model.clk = 0;
        model.route_valid = model.weights_valid = model.acts_valid = model.results_ready = 0;
        model.bank = bank;
        model.rst = 1;
        edge();
        edge();
        model.rst = 0;
    }
};

constexpr int LANES = 16, WORDS = 5;  // of a results beat; of 32 bits of any other

// A producer that offers what it may with gaps; a beat that was offered stays until it is taken.
bool offer(Random& random, bool may, bool& offered, int gap, CData& valid) {
    offered = offered || (may && !random.below(gap));
    valid = offered;
    return offered;
}

// Shows a beat, or noise where none is offered.
void show(Random& random, bool offered, VlWide<WORDS>& payload, const uint32_t* beat) {
    for (int word = 0; word < WORDS; ++word)
        payload[word] = offered ? beat[word] : uint32_t(random.next());
}

}  // namespace

extern "C" {

struct Tiles {
    int64_t count, rows;
    const int32_t* route;     // per tile: array, or -1 for the one before
    const int32_t* beats;     // per tile: activations
    const uint32_t* weights;  // `rows` beats of WORDS a tile, bottom row first
    const uint32_t* acts;     // WORDS a beat; the first one of a tile has the highest bit
    int32_t* results;         // LANES a beat
};

void* banks_new(uint64_t seed) { return std::make_unique<Simulation>(seed).release(); }
void banks_delete(void* handle) { delete static_cast<Simulation*>(handle); }

// Returns the number of results beats once there are `wanted`, or after `limit` cycles. A ROUTE is
// offered once the activations of the tile before are in; the weights after it from that cycle on.
int64_t banks_run(void* handle, int bank, const Tiles* tiles, int64_t wanted, int gap,
                  uint64_t seed, int64_t limit) {
    auto& simulation = *static_cast<Simulation*>(handle);
    auto& model = simulation.model;
    simulation.reset(bank);
    Random random{seed * 2 + 1};
    int64_t route = 0, weight = 0, tile = 0, beat = 0, act = 0, result = 0;
    bool route_offered = false, weight_offered = false, act_offered = false;
    for (int64_t cycle = 0; cycle < limit && result < wanted; ++cycle) {
        while (route < tiles->count && tiles->route[route] < 0) ++route;
        offer(random, route < tiles->count && tile >= route, route_offered, gap,
              model.route_valid);
        model.route_payload = route_offered ? tiles->route[route] : random.next() & 31;
        const int64_t next = weight / tiles->rows;  // tile whose weights are due
        offer(random, next < tiles->count && (next < route || (next == route && route_offered)),
              weight_offered, gap, model.weights_valid);
        show(random, weight_offered, model.weights_payload, tiles->weights + WORDS * weight);
        offer(random, tile < tiles->count, act_offered, gap, model.acts_valid);
        show(random, act_offered, model.acts_payload, tiles->acts + WORDS * act);
        model.acts_first = model.acts_payload[WORDS - 1] >> 31;
        model.results_ready = !random.below(gap);
        model.eval();
        if (model.results_valid && model.results_ready)
            std::memcpy(tiles->results + LANES * result++, &model.results_payload, 4 * LANES);
        if (route_offered && model.route_ready) ++route, route_offered = false;
        if (weight_offered && model.weights_ready) ++weight, weight_offered = false;
        if (act_offered && model.acts_ready) {
            ++act, act_offered = false;
            if (++beat == tiles->beats[tile]) ++tile, beat = 0;
        }
        simulation.edge();
    }
    return result;
}

}  // extern "C"
