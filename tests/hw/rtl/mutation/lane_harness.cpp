// Runs sums through a requantiser's lane with a mutant built in, as a shared library.
#include <cstdint>
#include <memory>

#include "Model.h"

extern "C" {

// One sum with all that is around it, and the code it should become.
struct Vector {
    int32_t sum, bias;
    uint32_t multiplier, shift;
    int32_t zero_point, low, high;
    uint32_t raw, plane, code;
};

// Returns the number of the first vector, counted from 1, whose code is another one; or 0.
// Zero point and clamps stand still while the `group` vectors that share them are in flight.
int64_t lane_run(const Vector* vectors, int64_t count, int64_t group, int64_t latency, int site,
                 int variant) {
    auto model = std::make_unique<Model>();
    model->mutant_site = site;
    model->mutant_variant = variant;
    for (int64_t first = 0; first < count; first += group) {
        int64_t last = first + group < count ? first + group : count;
        for (int64_t cycle = first; cycle < last + latency; cycle++) {
            const Vector& in = vectors[cycle < last ? cycle : last - 1];
            model->sum = in.sum;
            // bias, multiplier and shift side by side
            model->constants[0] = uint32_t(in.bias);
            model->constants[1] = in.multiplier | in.shift << 31;
            model->constants[2] = in.shift >> 1;
            model->raw = in.raw, model->plane = in.plane;
            model->zero_point = in.zero_point, model->low = in.low, model->high = in.high;
            model->clk = 0;
            model->eval();
            if (cycle >= first + latency && model->code != vectors[cycle - latency].code)
                return cycle - latency + 1;
            model->clk = 1;
            model->eval();
        }
    }
    return 0;
}

}
