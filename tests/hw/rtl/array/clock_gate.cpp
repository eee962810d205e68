// Random streams into both forms of a bank, as a shared library; test_clock_gate.py builds the top.
#include <cstdint>

#include "Model.h"

namespace {

// xorshift64*: beats, and which streams wait.
struct Random {
    uint64_t state;
    uint64_t next() {
        state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
        return state * 0x2545F4914F6CDD1DULL;
    }
    bool below(int chance_of_256) { return int(next() >> 56) < chance_of_256; }
};

}  // namespace

extern "C" {

constexpr int ARRAYS = 3;
struct Counts {
    int64_t differing;        // cycles in which an output of one form is not that of the other
    int64_t results, routes;  // beats taken
    int64_t edges[ARRAYS];    // of the clock of each array, ...
    int64_t stray[ARRAYS];    // ... while another one is selected
    int64_t enabled[ARRAYS];  // cycles in which the other form enables it
};

// Every stream offers anything in any cycle; a ROUTE, of chance `route` in 256, stays until it is
// taken, and meanwhile activations are rare, so that the bank may drain.
void gates_run(int fault, int64_t cycles, int route, uint64_t seed, Counts* counts) {
    VerilatedContext context;
    context.randReset(2);  // what is not reset starts at random
    context.randSeed(int(seed) + 1);
    Model model{&context};
    Random random{seed * 2 + 1};
    *counts = {};
    model.fault = fault;
    bool offered = false;
    int64_t edges[ARRAYS] = {}, stray[ARRAYS] = {};  // before the first cycle that counts
    for (int64_t cycle = -2; cycle < cycles; ++cycle) {
        model.clk = 0;
        model.rst = cycle < 0;
        if (!offered) model.route_payload = random.next() % (ARRAYS + 1);
        model.route_valid = offered = cycle >= 0 && (offered || random.below(route));
        model.weights_valid = cycle >= 0 && random.below(180);
        model.weights_payload = random.next();
        model.acts_payload = random.next();
        model.acts_first = random.below(100);
        model.acts_valid = cycle >= 0 && random.below(offered && !model.acts_first ? 20 : 180);
        model.results_ready = random.below(200);
        model.eval();
        for (int array = 0; array < ARRAYS; ++array) {
            if (cycle <= 0) edges[array] = model.edges[array], stray[array] = model.stray[array];
            if (cycle >= 0) counts->enabled[array] += model.enabled >> array & 1;
        }
        if (cycle >= 0) {
            counts->differing += !model.same;
            counts->results += model.results_valid && model.results_ready;
            counts->routes += offered && model.route_ready;
            offered = offered && !model.route_ready;
        }
        model.clk = 1;
        model.eval();
    }
    for (int array = 0; array < ARRAYS; ++array) {
        counts->edges[array] = model.edges[array] - edges[array];
        counts->stray[array] = model.stray[array] - stray[array];
    }
}

}  // extern "C"
