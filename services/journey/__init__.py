"""Works out whose a touchpoint is and reconstructs every customer's and account's path."""
