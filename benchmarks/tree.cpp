// Moves of a tree that come from elsewhere: decoded and merged. Two replicas move nodes at the same time, and a third gets
// their frames in turns of so many, so that most moves come after some that have a later time.
#include <netsync/netsync.hpp>
#include <netsync/testing/laws.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace {

using namespace netsync;
using Tree = netsync::Tree<LwwRegister<std::uint64_t>>;

constexpr std::size_t nodes = 1000;
constexpr std::size_t moves = 10'000;

struct Sent {
    Bytes bytes;
    CausalContext context;
    DotRange minted;
    Ntp64 time;
};

Sent encode(const testing::SentDelta<Tree>& sent) {
    return {*encode_delta(sent.delta, sent.minted, sent.time, Limits{}), sent.context, sent.minted, sent.time};
}

double moves_a_second(std::size_t turn, bool leaves_only, std::size_t& bytes) {
    std::vector<testing::Site<Tree>> sites = testing::make_sites<Tree>(3);
    detail::Random random{turn};
    std::uint64_t time = 1;
    std::vector<NodeId> all{Tree::root};
    for (std::size_t at = 0; at < nodes; ++at) {
        const NodeId parent = all[random.below(leaves_only ? std::min<std::size_t>(all.size(), 100) : all.size())];
        const auto sent = sites[0].change({++time}, [&](const Tree& now, Change& c) {
            return now.insert(c, parent, random.below(4),
                              [&](const auto& value, Change& inner) { return value.assign(inner, time); });
        });
        all.push_back(sent.delta.inserted());
        sites[1].deliver(sent);
        sites[2].deliver(sent);
    }
    std::vector<Sent> sent[2];
    std::vector<testing::SentDelta<Tree>> second;
    bytes = 0;
    while (sent[0].size() + sent[1].size() < moves) {
        const std::size_t at = random.below(2);
        const NodeId node = all[leaves_only ? 100 + random.below(nodes - 100) : 1 + random.below(nodes)];
        const NodeId parent = all[random.below(leaves_only ? 100 : all.size())];
        const auto made = sites[at].change(
            {++time}, [&](const Tree& now, Change& c) { return now.move(c, node, parent, random.below(4)); });
        if (at == 1) second.push_back(made);
        sent[at].push_back(encode(made));
        bytes += sent[at].back().bytes.size();
    }
    const auto start = std::chrono::steady_clock::now();
    std::size_t next[2] = {};
    for (std::size_t at = 0; next[0] + next[1] < sent[0].size() + sent[1].size(); at = 1 - at)
        for (std::size_t count = 0; count < turn && next[at] < sent[at].size(); ++count) {
            const Sent& one = sent[at][next[at]++];
            const DotSpace space{one.minted, one.time};
            Input in{one.bytes, Limits::frame_budget(one.bytes.size()), &space};
            Tree delta;
            in(delta);
            if (in.finish()) std::abort();
            merge(sites[2].state, delta, Join{.mine = sites[2].seen, .theirs = one.context});
            sites[2].seen.add(one.minted);
        }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    for (const auto& made : second) sites[0].deliver(made);
    if (!equal(sites[0].state, sites[2].state)) std::abort();
    return static_cast<double>(moves) / took.count();
}

}  // namespace

int main() {
    for (const bool leaves_only : {false, true})
        for (const std::size_t turn : {1, 10, 100}) {
            std::vector<double> rates(5);
            std::size_t bytes = 0;
            for (double& rate : rates) rate = moves_a_second(turn, leaves_only, bytes);
            std::sort(rates.begin(), rates.end());
            std::printf("%zu remote moves of %s among %zu nodes, in turns of %3zu: %8.0f a second (at least 100000), "
                        "%.1f bytes each\n",
                        moves, leaves_only ? "leaves  " : "any node", nodes, turn, rates[2],
                        static_cast<double>(bytes) / static_cast<double>(moves));
        }
}
