// Selectors and labels of strangers: text in; what is accepted prints in one form and answers.
#include <cstdint>
#include <netsync/rendezvous.hpp>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace netsync::rendezvous;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::size_t line = text.find('\n');  // the first line is labels, the rest a selector
    const auto labels = Labels::parse(text.substr(0, line));
    const auto selector = Selector::parse(line == std::string_view::npos ? text : text.substr(line + 1));
    if (!selector) return 0;
    const auto again = Selector::parse(selector->to_string());
    if (!again || !(*again == *selector) || again->to_string() != selector->to_string()) __builtin_trap();
    if (labels && again->accepts(*labels) != selector->accepts(*labels)) __builtin_trap();
    return 0;
}
