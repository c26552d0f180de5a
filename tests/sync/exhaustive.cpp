// Every loss, repetition and reordering of the messages of one session between two replicas.
#include "../network.hpp"

#include <array>

using namespace testing_network;
using Cart = OrSet<std::string>;

namespace {

#ifdef NDEBUG
constexpr std::size_t messages = 8;
#else
constexpr std::size_t messages = 5;
#endif

/// Two replicas that lack a change of each other's, linked, at the start of a round.
struct Differing {
    Network<Cart> net;
    std::unique_ptr<TapReplica<Cart>> a = net.join("a"), b = net.join("b");

    Differing() {
        net.run_for(2s);
        net.wire->lose = [](const Sent& sent) { return sent.kind == MessageKind::update; };
        a->update(add("a"));
        b->update(add("b"));
        net.wire->lose = [](const Sent&) { return false; };
        net.wire->clear();
    }
    bool equal() const { return a->digest() == b->digest(); }
};

bool is_of_session(MessageKind kind) { return kind >= MessageKind::digest; }

}  // namespace

TEST_CASE("whatever happens to a session's messages, it ends with a reason, and a later round makes both equal") {
    constexpr std::size_t fates = 4;
    std::size_t all = 1;
    for (std::size_t i = 0; i < messages; ++i) all *= fates;
    std::size_t first_time = 0;
    for (std::size_t choice = 0; choice < all; ++choice) {
        Differing pair;
        std::size_t sent = 0;
        pair.net.wire->fate = [&, left = choice](const Sent& message) mutable {
            if (!is_of_session(message.kind) || sent++ >= messages) return Fate::delivered;
            const auto fate = static_cast<Fate>(left % fates);
            left /= fates;
            return fate;
        };
        pair.net.run_for(4s);
        if (pair.equal()) ++first_time;
        for (int more = 0; more < 12 && !pair.equal(); ++more) pair.net.run_for(1s);
        INFO("choice " << choice);
        REQUIRE(pair.equal());
        const std::size_t log = pair.net.wire->log.size();
        pair.net.run_for(3s);
        std::size_t more = 0;
        for (std::size_t at = log; at < pair.net.wire->log.size(); ++at)
            more += pair.net.wire->log[at].kind > MessageKind::digest ? 1 : 0;
        CHECK(more == 0);  // equal, and quiet
        for (const auto* replica : {pair.a.get(), pair.b.get()})
            for (const SyncReport& round : replica->report().syncs) CHECK(round.took < 3s);
    }
    CHECK(first_time > all / 8);
}
