// As components.cpp, for what takes long to compile.
#include <netsync/https.hpp>
