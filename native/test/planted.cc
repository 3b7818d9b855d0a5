// fr_planted FAULT: a program that makes the fault. See planted.h.
#include "test/planted.h"

int main(int count, char** arguments) {
  return count == 2 && fr_planted::plant(arguments[1]) ? 0 : 2;
}
