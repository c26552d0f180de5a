// 10,000 requests as nobody should send them: the server lives, those who behave do not notice, and memory returns.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "service.hpp"

using namespace std::chrono_literals;
using namespace netsync;

extern "C" [[gnu::weak]] void __sanitizer_set_death_callback(void (*callback)());

namespace {

/// A sanitizer keeps what is freed, and so says nothing.
const bool resident_size_counts = __sanitizer_set_death_callback == nullptr && ::access("/proc/self/statm", R_OK) == 0;

/// Bytes of this process that are in memory, without those that the allocator could give back.
std::size_t resident_size() {
#ifdef __GLIBC__
    ::malloc_trim(0);
#endif
    std::size_t size = 0, resident = 0;
    std::FILE* const file = std::fopen("/proc/self/statm", "r");
    REQUIRE(file != nullptr);
    REQUIRE(std::fscanf(file, "%zu %zu", &size, &resident) == 2);
    std::fclose(file);
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// Requests that are random: queries, documents, methods, bytes.
class Noise {
   public:
    explicit Noise(std::uint64_t seed) : random_(seed) {}

    std::size_t below(std::size_t bound) { return random_() % bound; }
    std::string bytes(std::size_t most) {
        std::string text(below(most), ' ');
        for (char& c : text) c = static_cast<char>(random_());
        return text;
    }
    std::string query() {
        static const char* const words[] = {"event", "actor",  "payload", "mates", "selector", "labels", "timeout",
                                            "input", "=",      "&",       "%",     "+",        "a",      "json",
                                            "yaml",  "x in (", ",",       ")",     "!=",       "7"};
        std::string text =
            below(3) ? "/event?event=r&actor=a" + std::to_string(below(5)) + "&timeout=10ms&" : "/event?";
        std::string clean;
        for (std::size_t left = below(10); left > 0; --left) text += words[below(std::size(words))];
        for (const char c : text) clean += c == ' ' ? std::string("%20") : std::string(1, c);
        return clean;
    }
    std::string document() {
        static const char* const pieces[] = {"{",  "}",  "[",   "]",  ":",  ",",     "\"event\"", "event: ",
                                             "\n", "  ", "&a ", "*a", "- ", "\"e\"", "1e9",       "null"};
        std::string text;
        for (std::size_t left = below(20); left > 0; --left) text += pieces[below(std::size(pieces))];
        return text + ' ';
    }
    const char* input() { return below(2) ? "/event?input=json" : "/event?input=yaml"; }

   private:
    std::mt19937_64 random_;
};

/// Sends 10,000 of them; every connection is closed in the end. How many polite ones in between got their answer.
int storm(const Service& service, std::uint64_t seed) {
    Noise noise{seed};
    std::deque<std::shared_ptr<Client>> open;
    std::deque<std::pair<std::shared_ptr<Client>, std::string>> slow;  // who has not sent all of it
    const auto fresh = [&] { return open.emplace_back(std::make_shared<Client>(service.port())); };
    int answered = 0;
    for (int sent = 0; sent < 10'000; ++sent) {
        if (open.size() > 40) open.pop_front();
        if (open.empty() || noise.below(10) == 0) fresh();
        Client& client = *open.back();
        switch (noise.below(10)) {
        case 0: client.ask(noise.input(), noise.document()); break;
        case 1: client.ask(noise.query(), {}, noise.below(2) ? "PUT" : "HEAD"); break;
        case 2:
            client.send(noise.bytes(200));
            fresh();
            break;
        case 3:  // less than is promised, and perhaps no more to come
            client.send("POST /event?input=json HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n" +
                        noise.bytes(90));
            if (noise.below(2)) client.shut_half();
            fresh();
            break;
        case 4: {  // a piece now, the rest when others have had their turn
            const std::string text = "GET " + noise.query() + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
            const std::size_t part = noise.below(text.size());
            client.send(text.substr(0, part));
            slow.emplace_back(open.back(), text.substr(part));
            fresh();
            if (slow.size() < 20) break;
            slow.front().first->send(slow.front().second);
            slow.pop_front();
            break;
        }
        case 5:
            if (noise.below(20) == 0) client.ask(noise.input(), std::string(200'000, "[{ xa"[noise.below(5)]));
            break;
        default: client.ask(noise.query()); break;
        }
        if (noise.below(50) == 0) {
            Client polite{service.port()};
            polite.ask("/healthz");
            answered += polite.answer().status == 200;
        }
    }
    return answered;
}

}  // namespace

TEST_CASE("http: 10,000 random requests, the others do not notice, and memory returns (S3-13)") {
    Service service;
    std::atomic<bool> over{false};
    int met = 0, lost = 0;
    std::thread others([&] {
        const std::string both = "{\"payloads\":{\"actor1\":\"p1\",\"actor2\":\"p2\"}}\n";
        Client one{service.port()}, two{service.port()};
        for (int round = 0; !over; ++round) {
            const std::string event = "/event?event=known" + std::to_string(round);
            one.ask(event + "&actor=actor1&payload=p1");
            two.ask(event + "&actor=actor2&payload=p2");
            for (Client* client : {&one, &two}) ++(client->answer().body == both ? met : lost);
            std::this_thread::sleep_for(2ms);
        }
    });
    // What is kept for good is kept once: after some storm the next one leaves nothing more behind.
    constexpr std::size_t slack = 1 << 20;
    bool returned = !resident_size_counts;
    for (std::uint64_t round = 0, before = 0; round < (resident_size_counts ? 6 : 1); ++round) {
        CHECK(storm(service, 7) > 100);
        CHECK(service.becomes_idle());
        CHECK(Service::becomes([&] { return service.statistics().connections <= 2; }));  // those of the others
        CHECK(service.statistics().unanswered <= 2);
        const std::size_t now = resident_size_counts ? resident_size() : 0;
        MESSAGE("resident: " << now / 1024 << " KiB");
        if (resident_size_counts && round > 0 && now <= before + slack) returned = true;
        before = now;
        if (returned) break;
    }
    CHECK(returned);
    over = true;
    others.join();
    CHECK(lost == 0);
    CHECK(met > 20);
    CHECK(Service::becomes([&] { return service.statistics().connections == 0; }));
    CHECK(service.statistics().unanswered == 0);
}
