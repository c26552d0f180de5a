// expect: pointers are not sent
#include <netsync/netsync.hpp>

struct Value {
#ifdef REJECT
    int* pointer = nullptr;
#else
    int number = 0;
#endif
};

netsync::MemoryHub hub;
netsync::MemoryReplica<netsync::LwwRegister<Value>> replica{hub};
