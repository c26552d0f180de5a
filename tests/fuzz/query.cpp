// Queries of strangers: pairs come out that are as long as what went in, or nothing does; then a request, or one line.
#include "document.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fuzz;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    ask(bytes, {});
    const auto pairs = http::parse_query(bytes);
    if (!pairs) return 0;
    std::string again;  // with every byte escaped
    std::size_t length = pairs->size() - 1;
    const auto add = [&](const std::string& text) {
        static constexpr char digits[] = "0123456789ABCDEF";
        length += text.size();
        for (const char c : text) {
            const auto byte = static_cast<unsigned char>(c);
            ((again += '%') += digits[byte / 16]) += digits[byte % 16];
        }
    };
    for (const auto& [name, value] : *pairs) {
        if (&name != &pairs->front().first) again += '&';
        add(name);
        again += '=';
        add(value);
    }
    demand(length <= size);
    demand(http::parse_query(again) == pairs);
    return 0;
}
