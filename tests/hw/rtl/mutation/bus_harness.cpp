// Plays the inputs of every cycle to the bus with a mutant built in, as a shared library.
#include <cstdint>
#include <cstring>
#include <memory>

#include "Model.h"

extern "C" {

// Returns the number of the first cycle, counted from 1, in which an output that matters is another
// one; or 0. `in_words`, `out_words` : 32-bit words of the inputs and outputs of a cycle.
int64_t bus_run(const uint32_t* inputs, const uint32_t* outputs, const uint32_t* matters,
                int64_t cycles, int64_t in_words, int64_t out_words, int site, int variant,
                int seed) {
    VerilatedContext context;
    context.randReset(2);  // what is not reset starts at random
    context.randSeed(seed);
    auto model = std::make_unique<Model>(&context);
    model->mutant_site = site;
    model->mutant_variant = variant;
    for (int64_t cycle = 0; cycle < cycles; ++cycle) {
        model->clk = 0;
        std::memcpy(&model->inputs[0], inputs + cycle * in_words, in_words * sizeof *inputs);
        model->eval();
        for (int64_t word = 0; word < out_words; ++word) {
            const int64_t at = cycle * out_words + word;
            if ((model->outputs[word] ^ outputs[at]) & matters[at]) return cycle + 1;
        }
        model->clk = 1;
        model->eval();
    }
    return 0;
}

}
