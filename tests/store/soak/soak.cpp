// soak [power cuts [failing calls [kills [first seed]]]]: a SqliteStore goes through it. Says what went wrong with which
// seed, and exits 1 then.
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "../crashes.hpp"

int main(int argc, char** argv) {
    const auto argument = [&](int at, std::uint64_t otherwise) {
        return argc > at ? std::strtoull(argv[at], nullptr, 10) : otherwise;
    };
    const std::uint64_t cuts = argument(1, 5000), calls = argument(2, 500), kills = argument(3, 1000);
    const std::uint64_t seed = argument(4, 1);
    std::uint64_t wrong = 0;
    const auto tell = [&](const char* what, std::uint64_t at, const std::string& said) {
        if (said.empty()) return;
        ++wrong;
        std::printf("%s %llu: %s\n", what, static_cast<unsigned long long>(at), said.c_str());
    };
    for (std::uint64_t at = seed; at < seed + cuts; ++at) tell("power cut", at, cut_power(at));
    for (std::uint64_t n = 1; n <= calls; ++n) tell("failing call", n, fail_call(n));
    std::optional<Killed> writer;
    std::size_t durable = 0;
    for (std::uint64_t kill = 1; kill <= kills && wrong == 0; ++kill) {
        if (!writer) writer.emplace(seed + kill);
        tell("kill", kill, writer->kill());
        if (kill % 50 == 0 || kill == kills) tell("after kill", kill, writer->check());
        if (kill % 200 != 0 && kill != kills) continue;
        durable += writer->durable();
        writer.reset();
    }
    std::printf("%llu power cuts, %llu failing calls, %llu kills (%zu durable changes): %llu wrong\n",
                static_cast<unsigned long long>(cuts), static_cast<unsigned long long>(calls),
                static_cast<unsigned long long>(kills), durable, static_cast<unsigned long long>(wrong));
    return wrong == 0 ? 0 : 1;
}
