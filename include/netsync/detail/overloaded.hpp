// netsync: one visitor from several lambdas.
#pragma once

namespace netsync::detail {

template <class... F>
struct Overloaded : F... {
    using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace netsync::detail
