// One emitted multiplier, evaluated once per product: magnitudes in, the sign added outside.
#include <cstdlib>

#include "Model.h"
#include "server.h"

int main() {
    VerilatedContext context;
    Model model{&context};
    return serve([](Matrices&) {}, [&](Matrices& x) {
        for (int m = 0; m < x.m; ++m)
            for (int k = 0; k < x.k; ++k)
                for (int n = 0; n < x.n; ++n) {
                    const int act = x.acts[size_t(m) * x.k + k];
                    const int weight = x.weights[size_t(k) * x.n + n];
                    model.act = std::abs(act);
                    model.weight = std::abs(weight);
                    model.eval();
                    const int product = model.product;
                    x.out[size_t(m) * x.n + n] += (act < 0) != (weight < 0) ? -product : product;
                }
    });
}
