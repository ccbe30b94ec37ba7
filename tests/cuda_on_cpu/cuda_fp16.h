// Half precision of the C++ compiler in place of NVIDIA's.
#pragma once
typedef _Float16 __half;
